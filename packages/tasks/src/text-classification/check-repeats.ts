import { excerptOf, quoted } from '../datasets/issue.ts';
import type { IssueLog } from '../datasets/issue-log.ts';
import type { TextExample, TextInput } from './types.ts';

/** What two examples have in common if a model cannot tell them apart. */
export function inputKey({ text, textPair }: TextInput): string {
  return textPair === undefined ? text : JSON.stringify([text, textPair]);
}

/** Warns of rows that repeat an earlier one, with the same label or with another. */
export function checkRepeats(examples: readonly TextExample[], log: IssueLog): void {
  const firsts = new Map<string, TextExample>();
  for (const example of examples) {
    const key = inputKey(example.input);
    const first = firsts.get(key);
    if (first === undefined) {
      firsts.set(key, example);
      continue;
    }
    const where = { line: example.line, excerpt: excerptOf(example.input.text) };
    if (first.gold === example.gold) {
      log.add('duplicate_row', {
        ...where,
        message: `the row repeats line ${first.line}`,
        suggestion: 'delete one of the two',
        firstLine: first.line,
      });
    } else {
      const [was, is] = [first.gold ?? '', example.gold ?? ''];
      log.add('conflicting_labels', {
        ...where,
        message: `the text has the label ${quoted(is)} here and ${quoted(was)} on line ${first.line}`,
        suggestion: 'decide for one label and delete the other row',
        firstLine: first.line,
        labels: [was, is],
      });
    }
  }
}
