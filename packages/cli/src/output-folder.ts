/** The folder that a tuning run writes to: nothing of worth in it is lost unasked. */
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Backbone } from '@polyprompt/backbone';
import { CARD_FILE } from '@polyprompt/prompts';
import { CHECKPOINT_FILE, TUNED_BACKBONE, type TuningSettings } from '@polyprompt/tuning';
import { CliError } from './errors.ts';

export interface OutputOptions {
  readonly out: string;
  readonly resume?: boolean;
  readonly finish?: boolean;
  readonly force?: boolean;
}

/**
 * True where an interrupted run is to be continued that has been completed since.
 * @throws CliError `prompt_exists`, `unfinished_run`, `same_folder`
 */
export function nothingToDo(
  { out, resume, finish, force }: OutputOptions,
  backbone: Backbone,
  { method }: TuningSettings,
): boolean {
  const tuned = join(out, TUNED_BACKBONE);
  if (method === 'full' && existsSync(tuned) && realpathSync(tuned) === backbone.dir) {
    throw new CliError(
      'same_folder',
      `${tuned} is the backbone to train from, and would be replaced; choose another --out`,
    );
  }
  if (force) return false;
  const complete = existsSync(join(out, CARD_FILE));
  const unfinished = existsSync(join(out, CHECKPOINT_FILE));
  if (resume || finish) {
    if (!complete || unfinished) return false;
    process.stderr.write(`${out} is complete; --force trains it again\n`);
    return true;
  }
  if (unfinished) {
    throw new CliError(
      'unfinished_run',
      `${out} holds the checkpoint of an unfinished run; --resume continues it, --force starts anew`,
    );
  }
  if (complete) {
    throw new CliError(
      'prompt_exists',
      `${out} holds a prompt already; choose another --out, or --force to replace it`,
    );
  }
  return false;
}
