/** The command's own errors, and what any error means for the exit code. */
import { CommanderError } from 'commander';

export type CliErrorCode =
  /** Options that do not go together, or one that is missing. */
  | 'usage'
  | 'no_such_file'
  /** A file that is not what it should be, or inputs that were refused. */
  | 'bad_input'
  /** No folder at hand holds the backbone that the prompt was trained on. */
  | 'backbone_needed'
  | 'prompt_exists'
  | 'unfinished_run'
  /** A folder that would be overwritten while it is read. */
  | 'same_folder'
  /** Findings of `prompt verify`. */
  | 'damaged_prompt'
  /** Findings of `files validate`. */
  | 'invalid_data'
  /** A job that was followed, and did not succeed. */
  | 'job_failed'
  | 'no_such_alias'
  | 'file_exists'
  /** A model of the hub that cannot be a backbone; findings of `backbone verify`. */
  | 'bad_backbone'
  | 'hub_refused'
  | 'hub_unreachable'
  | 'bad_checksum'
  | 'no_space'
  /** Ctrl-C. */
  | 'interrupted';

export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: CliErrorCode;

  constructor(code: CliErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The end of a child process that has said everything itself. */
export class ChildExit extends Error {
  override readonly name = 'ChildExit';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`the child process ended with ${exitCode}`);
    this.exitCode = exitCode;
  }
}

export const EXIT = { ok: 0, failure: 1, badInput: 2, interrupted: 130 } as const;

export const EXIT_HELP = `
Exit codes:
  0    done
  1    the run failed, the service refused, or a check found problems
  2    wrong usage or bad input
  130  interrupted; what it was about can be resumed

DEBUG=polyprompt adds the stack to an error message.`;

/** Errors whose message is written for the user; the name survives threads, the class does not. */
const TYPED = new Set([
  'CliError',
  'BackboneError',
  'TuningError',
  'PromptError',
  'TaskError',
  'ReproduceError',
  'RegistryError',
  'StorageError',
]);

/** Codes of typed errors that no better input would have avoided. */
const FAILURES = new Set([
  'damaged_prompt',
  'invalid_data',
  'job_failed',
  'no_such_alias',
  'bad_backbone',
  'hub_refused',
  'hub_unreachable',
  'bad_checksum',
  'no_space',
  'backbone_exists',
  'backbone_not_found',
  'backbone_damaged',
  'denied',
  'unavailable',
  'diverged',
  'worker_died',
  'bad_logits',
  'changed_while_reading',
]);

function isTyped(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && TYPED.has(error.name);
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.badInput;
  if (error instanceof ChildExit) return error.exitCode;
  if (!isTyped(error)) return EXIT.failure;
  if (error.code === 'interrupted') return EXIT.interrupted;
  return FAILURES.has(error.code) ? EXIT.failure : EXIT.badInput;
}

const SHOWN_LINES = 20;

/** The one message that a person sees. A long list of findings is cut, with the number left out. */
export function messageOf(error: unknown, debug: boolean): string {
  if (!(error instanceof Error)) return String(error);
  if (debug) return error.stack ?? error.message;
  const hint = isTyped(error) || 'code' in error ? '' : ' (DEBUG=polyprompt shows where)';
  return `${firstLines(inFlags(error).split('\n')).join('\n')}${hint}`;
}

/** A bad option of a task begins its message, by its name in the library. */
function inFlags(error: Error): string {
  if (!isTyped(error) || error.code !== 'bad_option') return error.message;
  return error.message.replace(/^[a-z]\w*(?= is )/, (name) => {
    const flag = name === 'docStride' ? 'stride' : name;
    return `--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  });
}

/** At most so many lines, and then how many more there were. */
function firstLines(lines: readonly string[]): readonly string[] {
  if (lines.length <= SHOWN_LINES) return lines;
  return [...lines.slice(0, SHOWN_LINES), `... and ${lines.length - SHOWN_LINES} more`];
}
