/** Records of runs as tables: per language and method the mean and spread over seeds. */
import type { PaperTask } from './papers.ts';
import type { RunRecord } from './run.ts';
import { type Spread, spread } from './statistics.ts';

export interface Row {
  readonly name: string;
  readonly FT: Spread;
  readonly PT: Spread;
  /** PT - FT, seed by seed. */
  readonly difference: Spread;
}

export interface TaskResult {
  readonly id: string;
  readonly title: string;
  readonly metric: string;
  readonly languages: readonly Row[];
  readonly english: Row | null;
  /** Over all languages, with equal weight. */
  readonly mean: Row;
  readonly others: Row | null;
  /** English minus the mean of the others. */
  readonly gap: Row | null;
  readonly records: readonly RunRecord[];
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** @param records of both methods for the same seeds, and the same languages in each */
export function summarise(task: PaperTask, records: readonly RunRecord[]): TaskResult {
  const seeds = [...new Set(records.map(({ seed }) => seed))].sort((a, b) => a - b);
  const languages = Object.keys(records[0]!.scores).sort(
    (a, b) => Number(b === 'en') - Number(a === 'en') || (a < b ? -1 : 1),
  );
  const others = languages.filter((language) => language !== 'en');
  const row = (name: string, of: (record: RunRecord) => number): Row => {
    const values = (method: 'FT' | 'PT') =>
      seeds.map((seed) =>
        of(records.find((each) => each.method === method && each.seed === seed)!),
      );
    const [FT, PT] = [values('FT'), values('PT')];
    return {
      name,
      FT: spread(FT),
      PT: spread(PT),
      difference: spread(PT.map((value, i) => value - FT[i]!)),
    };
  };
  const score = (record: RunRecord, language: string) => record.scores[language]!.score;
  const meanOf = (record: RunRecord, list: readonly string[]) =>
    mean(list.map((language) => score(record, language)));
  const hasEnglish = languages.includes('en');
  const { id, title, metric } = task;
  return {
    id,
    title,
    metric,
    languages: languages.map((language) => row(language, (record) => score(record, language))),
    english: hasEnglish ? row('English', (record) => score(record, 'en')) : null,
    mean: row('mean', (record) => meanOf(record, languages)),
    others: others.length > 0 ? row('mean without English', (r) => meanOf(r, others)) : null,
    gap:
      hasEnglish && others.length > 0
        ? row('cross-lingual gap', (r) => score(r, 'en') - meanOf(r, others))
        : null,
    records,
  };
}
