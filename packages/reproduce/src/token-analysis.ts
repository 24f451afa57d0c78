/** How the tokenization of each language relates to what prompt tuning gains there. */
import type { Tokenizer } from '@polyprompt/backbone';
import type { Example } from '@polyprompt/tasks';
import { randomStream } from '@polyprompt/tuning';
import type { PaperTask } from './papers.ts';
import type { TaskResult } from './results.ts';
import { type Correlation, rankCorrelation } from './statistics.ts';
import { measureTokenization, type Tokenization } from './tokenization.ts';

const MEASURES = ['fertility', 'charactersPerSubword', 'splitWords', 'unknown'] as const;

type Tests = ReadonlyMap<string, readonly Example<unknown, unknown>[]>;

/** By task, then language; and by task, then measure, over the languages without English. */
export async function relateTokenization(
  tokenizer: Tokenizer,
  tasks: readonly PaperTask[],
  tests: ReadonlyMap<string, Tests>,
  results: readonly TaskResult[],
) {
  const tokenization: Record<string, Record<string, Tokenization>> = {};
  const correlations: Record<string, Record<string, Correlation>> = {};
  const pooled: { x: number; y: number }[] = [];
  for (const { id } of tasks) {
    const own: Record<string, Tokenization> = {};
    for (const [language, examples] of tests.get(id)!) {
      const texts = examples.flatMap(({ input }) => textsOf(input));
      own[language] = await measureTokenization(
        tokenizer,
        texts,
        language,
        tokenizer.specialIds.unk ?? null,
      );
    }
    tokenization[id] = own;
    const rows = results
      .find((result) => result.id === id)!
      .languages.filter(({ name }) => name !== 'en');
    const gains = rows.map(({ difference }) => difference.mean);
    correlations[id] = Object.fromEntries(
      MEASURES.map((measure) => {
        const values = rows.map(({ name }) => own[name]![measure]);
        return [measure, rankCorrelation(values, gains, randomStream(0, `${id} ${measure}`))];
      }),
    );
    rows.forEach(({ name }, i) => {
      pooled.push({ x: own[name]!.fertility, y: gains[i]! });
    });
  }
  const fertility = rankCorrelation(
    pooled.map(({ x }) => x),
    pooled.map(({ y }) => y),
    randomStream(0, 'fertility'),
  );
  return { tokenization, correlations, fertility };
}

/** Every text of an input, whatever the task: a string, words, or named fields of these. */
function textsOf(input: unknown): string[] {
  if (typeof input === 'string') return [input];
  if (Array.isArray(input)) {
    return input.every((item) => typeof item === 'string') ? [input.join(' ')] : [];
  }
  if (!input || typeof input !== 'object') return [];
  // The id of a question is no text of its language.
  return Object.entries(input).flatMap(([field, value]) => (field === 'id' ? [] : textsOf(value)));
}
