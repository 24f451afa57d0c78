/**
 * Several settings tried in one run: the product of lists of values, trained side by side around
 * the frozen backbone, of which the best on the dev set is kept.
 */
import { isBetter } from './better.ts';
import type { Evaluated } from './checkpoint.ts';
import { refuseSetting, TuningError } from './errors.ts';
import type { Run } from './run.ts';
import type { TuningInput, TuningSettings } from './settings.ts';

/** What may differ between candidates: all that changes neither the data nor the graph. */
const KEYS = {
  lr: 'learningRate',
  seed: 'seed',
  length: 'length',
  epochs: 'epochs',
  'batch-size': 'batchSize',
  schedule: 'schedule',
  warmup: 'warmup',
  'weight-decay': 'weightDecay',
  clip: 'clip',
  dropout: 'dropout',
  'head-dropout': 'headDropout',
  'init-std': 'initStd',
  reparameterise: 'reparameterise',
} as const satisfies Record<string, keyof TuningSettings>;

type CandidateKey = (typeof KEYS)[keyof typeof KEYS];

export type Candidate = Readonly<Partial<Pick<TuningSettings, CandidateKey>>>;

/** Values to try, by setting. */
export type CandidateLists = Readonly<
  Partial<Record<CandidateKey, readonly (string | number)[] | undefined>>
>;

/** More in one batch gain nothing. */
export const MAX_CANDIDATES = 64;

/**
 * Reads lists of values, `lr=1e-3,5e-3;seed=1,2`.
 * @throws TuningError `bad_setting` naming the part that cannot be read
 */
export function parseCandidateLists(text: string): CandidateLists {
  const refuse = (what: string): never =>
    refuseSetting(
      'candidates',
      `candidates: ${what}; write lists of values, as in "lr=1e-3,5e-3;seed=1,2"`,
    );
  const lists = new Map<string, readonly (string | number)[]>();
  for (const part of text.split(';').filter((each) => each.trim() !== '')) {
    const [name = '', values, ...rest] = part.split('=').map((each) => each.trim());
    if (!Object.hasOwn(KEYS, name)) {
      refuse(`${JSON.stringify(name)} is none of ${Object.keys(KEYS).join(', ')}`);
    }
    const key = KEYS[name as keyof typeof KEYS];
    if (lists.has(key)) refuse(`${name} is given twice`);
    if (!values || rest.length > 0) refuse(`${JSON.stringify(part)} is no list of values`);
    lists.set(
      key,
      values!
        .split(',')
        .map(
          (value) =>
            readValue(key, value.trim()) ??
            refuse(`${JSON.stringify(value)} is no value of ${name}`),
        ),
    );
  }
  if (lists.size === 0) refuse('there are none');
  return Object.fromEntries(lists);
}

/**
 * Every combination of the values, the last list varying fastest. Whether they are values of their
 * settings is for `candidateSettings` to say.
 * @throws TuningError `bad_setting` for none and for too many
 */
export function candidatesOf(lists: CandidateLists): Candidate[] {
  const given = Object.entries(lists).filter(([, values]) => values !== undefined);
  if (given.length === 0) refuseSetting('candidates', 'candidates: there are none; give a list');
  const count = given.reduce((product, [, values]) => product * values.length, 1);
  if (count < 1 || count > MAX_CANDIDATES) {
    refuseSetting(
      'candidates',
      `candidates: ${count} combinations are ${count < 1 ? 'nothing to try' : `more than ${MAX_CANDIDATES}`}; ` +
        `give ${count < 1 ? 'every list a value' : 'fewer values'}`,
    );
  }
  let all: Candidate[] = [{}];
  for (const [key, values] of given) {
    all = all.flatMap((candidate) => values.map((value) => ({ ...candidate, [key]: value })));
  }
  return all;
}

/** The combinations of lists as text. @throws TuningError `bad_setting` */
export function parseCandidates(text: string): Candidate[] {
  return candidatesOf(parseCandidateLists(text));
}

function readValue(key: string, text: string): string | number | undefined {
  if (text === '') return undefined;
  if (key === 'schedule') return text;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** A candidate in the words that `parseCandidates` reads. */
export function candidateName(candidate: Candidate): string {
  return Object.entries(KEYS)
    .flatMap(([name, key]) => (candidate[key] === undefined ? [] : [`${name}=${candidate[key]}`]))
    .join(' ');
}

/**
 * The settings of every candidate; none alone is one without a name. They share data and dev set:
 * the rows have to fit beside the longest prompt, and a held-out dev set is drawn by the seed of
 * `input` itself.
 * @param resolve fills in the recipe and checks
 * @throws TuningError `bad_setting`
 */
export function candidateSettings(
  input: TuningInput,
  candidates: readonly Candidate[],
  resolve: (input: TuningInput) => TuningSettings,
): TuningSettings[] {
  if (candidates.length === 0) return [resolve(input)];
  if (candidates.length > MAX_CANDIDATES) {
    refuseSetting(
      'candidates',
      `${candidates.length} candidates are more than ${MAX_CANDIDATES}; give fewer values`,
    );
  }
  const each = candidates.map((candidate) => {
    try {
      return resolve({ ...input, ...candidate });
    } catch (error) {
      throw ofCandidate(error, candidate);
    }
  });
  if (each[0]!.method === 'full') {
    refuseSetting(
      'candidates',
      'candidates share the frozen backbone, which method full changes; use another method or ' +
        'train them one by one',
    );
  }
  const maxTokens = Math.min(...each.map((settings) => settings.maxTokens));
  return each.map((settings) => ({ ...settings, maxTokens }));
}

/** A refusal that is due to what the candidate changes names it. */
function ofCandidate(error: unknown, candidate: Candidate): unknown {
  if (!(error instanceof TuningError) || !Object.hasOwn(candidate, error.setting ?? '')) {
    return error;
  }
  const message = `candidate ${candidateName(candidate)}: ${error.message}`;
  return new TuningError(error.code, message, { setting: 'candidates', cause: error });
}

/** The run with the best version on the dev set, the first of equals; diverged ones do not count. */
export function bestRun(runs: readonly Run[]): Run {
  let best: Run | undefined;
  const scoreOf = (run: Run) => run.progress.best as Evaluated;
  for (const run of runs) {
    if (run.diverged || !run.progress.best) continue;
    if (!best || isBetter(scoreOf(run), scoreOf(best), run.settings.select)) best = run;
  }
  return best!;
}
