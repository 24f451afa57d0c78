import { quoted } from './issue.ts';
import type { IssueLog } from './issue-log.ts';

const NAMES = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'none' });

/** Whether a tag (BCP 47, `_` for `-` allowed) begins with a language that has a name. */
export function isKnownLanguage(tag: string): boolean {
  try {
    return NAMES.of(new Intl.Locale(tag.replaceAll('_', '-')).language) !== undefined;
  } catch {
    return false;
  }
}

/** Warns once per tag that is no language; the rows keep it, it only names a group in reports. */
export function checkLanguages(
  rows: readonly { readonly language: string | undefined; readonly line: number }[],
  path: string | undefined,
  log: IssueLog,
): void {
  const groups = Map.groupBy(rows, ({ language }) => language);
  for (const [tag, group] of groups) {
    if (tag === undefined || isKnownLanguage(tag)) continue;
    log.add('unknown_language_tag', {
      line: group[0]!.line,
      ...(path === undefined ? {} : { path }),
      message: `${quoted(tag)} is not the tag of a language that is known here (rows: ${group.length})`,
      suggestion: 'use tags such as en, sw or zh-Hant',
      tag,
      count: group.length,
    });
  }
}
