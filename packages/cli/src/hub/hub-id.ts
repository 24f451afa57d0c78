/** How a model of the hub is named on a command line: `owner/name`, or an old `name`, and maybe `@revision`. */
import { isName, NAME_RULE } from '@polyprompt/contract';
import { CliError } from '../errors.ts';

export interface HubId {
  /** `owner/name` or `name`. */
  readonly repo: string;
  /** Branch, tag or commit; undefined for the main branch. */
  readonly revision: string | undefined;
}

const SEGMENT = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?$/;
const REVISION = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,254}[A-Za-z0-9._-])?$/;

/** @throws CliError `usage` */
export function parseHubId(text: string): HubId {
  const at = text.indexOf('@');
  const repo = at < 0 ? text : text.slice(0, at);
  const revision = at < 0 ? undefined : text.slice(at + 1);
  const segments = repo.split('/');
  const good =
    segments.length <= 2 && segments.every((part) => SEGMENT.test(part) && !part.includes('..'));
  if (good && (revision === undefined || (REVISION.test(revision) && !revision.includes('..')))) {
    return { repo, revision };
  }
  throw new CliError(
    'usage',
    `${JSON.stringify(text)} is not a model of the hub; give OWNER/NAME, or OWNER/NAME@REVISION with a branch, tag or commit, such as FacebookAI/xlm-roberta-base`,
  );
}

/**
 * The id that a backbone gets, which is the name of its folder.
 * @throws CliError `usage` when the name on the hub is none
 */
export function backboneId(repo: string): string {
  const id = repo.slice(repo.lastIndexOf('/') + 1).toLowerCase();
  if (isName(id)) return id;
  throw new CliError(
    'usage',
    `${JSON.stringify(id)} cannot be the id of a backbone: it must be ${NAME_RULE}; choose a folder with --out`,
  );
}
