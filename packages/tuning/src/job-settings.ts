/**
 * @module
 * What a job is asked to do, judged as far as it can be without its data: the one validator of the
 * library, the command line, the API (before a job is made) and the tuner. Loads nothing heavy.
 */
import { type Backbone, usableTokens } from '@polyprompt/backbone';
import { type Candidate, candidateSettings } from './candidates.ts';
import { continued, type Parent } from './parent.ts';
import {
  type BackboneTraits,
  resolveSettings,
  type TuningInput,
  type TuningSettings,
} from './settings.ts';

export {
  type Candidate,
  type CandidateLists,
  candidateName,
  candidatesOf,
  MAX_CANDIDATES,
} from './candidates.ts';
export { TuningError } from './errors.ts';
export type { Parent } from './parent.ts';
export { RECIPES, recipesFor } from './recipes.ts';
export type { BackboneTraits, TuningInput } from './settings.ts';

export interface AskedSettings {
  readonly settings: TuningInput;
  readonly candidates?: readonly Candidate[];
  /** The version to continue from. */
  readonly parent?: Pick<Parent, 'prompt' | 'ref'> | undefined;
}

/**
 * The settings of every candidate, or of the one run; recipes filled in, everything checked.
 * @throws TuningError `bad_setting` with the setting at fault
 */
export function resolveJobSettings(
  { settings, candidates = [], parent }: AskedSettings,
  backbone: BackboneTraits,
): TuningSettings[] {
  return candidateSettings(settings, candidates, (input) =>
    resolveSettings(parent ? continued(input, parent) : input, backbone),
  );
}

export function traitsOf({ name, spec, checkpoint }: Backbone): BackboneTraits {
  return {
    name,
    family: spec.family,
    usableTokens: (length) => usableTokens(spec, length),
    hasPooler: checkpoint.hasPooler,
    predictsWords: spec.family === 'xglm' && checkpoint.hasLmHead,
  };
}
