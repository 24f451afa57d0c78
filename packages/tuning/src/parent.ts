/** The version that a run continues from, and what of it the run takes over. */
import { basename, resolve } from 'node:path';
import type { Backbone } from '@polyprompt/backbone';
import {
  type Prompt,
  type PromptCard,
  promptLength,
  readPrompt,
  TRAINED_POOLING,
} from '@polyprompt/prompts';
import { refuseSetting } from './errors.ts';
import type { TuningInput } from './settings.ts';

export interface ParentSource {
  /** Folder of the version. */
  readonly folder: string;
  /** What the card of the new version calls it; the folder's name unless given. */
  readonly ref?: string;
}

export interface Parent {
  readonly prompt: Prompt;
  readonly card: PromptCard;
  readonly ref: string;
}

/** @throws PromptError when it is damaged or of another backbone */
export async function readParent(source: ParentSource, backbone: Backbone): Promise<Parent> {
  const { folder, ref = basename(resolve(folder)) } = source;
  const fingerprint = await backbone.fingerprint();
  const version = readPrompt(folder, { backbone: { name: backbone.name, fingerprint } });
  return { ...version, ref };
}

/**
 * The settings of a run that continues from `parent`: what its numbers depend on stays as it is.
 * @throws TuningError `bad_setting` naming what the input wants otherwise
 */
export function continued(
  input: TuningInput,
  { prompt, ref }: Pick<Parent, 'prompt' | 'ref'>,
): TuningInput {
  const { task, method, positions } = prompt;
  const pooling = TRAINED_POOLING.find((rule) => rule === prompt.pooling);
  const length = promptLength(prompt);
  const refuse = (what: string) => refuseSetting('from', `cannot continue from ${ref}: ${what}`);
  if (input.task !== task) refuse(`its task is ${task}, the run's is ${input.task}`);
  const same = input.method === undefined || input.method === method;
  if (!same && !(input.method === 'full' && method === 'head')) {
    refuse(`its method is ${method}, the run's is ${input.method}; leave method out`);
  }
  if (length > 0 && input.length !== undefined && input.length !== length) {
    refuse(`its length is ${length}, the run's is ${input.length}; leave length out`);
  }
  if (method === 'soft' && !prompt.softPrompt) {
    refuse('it holds the prefix that its soft prompt was compiled into, not the soft prompt');
  }
  if (pooling === undefined || prompt.denseWeight) {
    refuse('it was imported and reads the backbone in a way that only serving knows');
  }
  if (input.reparameterise) {
    refuse('a prompt cannot be turned back into a reparameterisation; leave reparameterise out');
  }
  return {
    method,
    positions,
    ...(pooling ? { pooling } : {}),
    ...defined(input),
    ...(length > 0 ? { length } : {}),
  };
}

function defined(input: TuningInput): TuningInput {
  const given = Object.entries(input).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as TuningInput;
}
