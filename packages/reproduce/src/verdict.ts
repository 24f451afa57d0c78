/**
 * What the runs say about a paper's claims, by rules that stand here before any run: a difference
 * counts when it is larger than its spread over the seeds, so that one seed decides nothing.
 */

import type { Paper } from './papers.ts';
import { GROUPS, type Group } from './resources.ts';
import type { Row, TaskResult } from './results.ts';
import type { Correlation } from './statistics.ts';
import { type Spread, spread } from './statistics.ts';

export type Finding = 'supported' | 'not supported' | 'contradicted' | 'not tested';

export interface Verdict {
  readonly claim: string;
  readonly rule: string;
  readonly finding: Finding;
  readonly evidence: string;
}

export interface Facts {
  readonly paper: Paper;
  readonly results: readonly TaskResult[];
  /** Percent of the backbone's parameters, the prompt without its head. */
  readonly share: number;
  readonly groups: ReadonlyMap<string, Group>;
  /** Fertility against PT - FT over the languages of all tasks, English left out. */
  readonly fertility: Correlation;
}

export function judge(facts: Facts): Verdict[] {
  const common = [share(facts), ...facts.results.map(transfer)];
  return facts.paper.name === 'tu2022'
    ? [...common, ...facts.results.flatMap(gap), boundaries(facts)]
    : [
        ...common,
        ...facts.results.flatMap((result) => byGroup(result, facts.groups)),
        tokens(facts),
      ];
}

function share({ paper, share: percent }: Facts): Verdict {
  const [least, most] = paper.share;
  return {
    claim: `Prompt tuning tunes ${least > 0 ? `${least} to ${most}` : `at most ${most}`} % of the parameters.`,
    rule: 'The share of the prompt without its head, rounded to two digits, lies in the range.',
    finding: within(Number(percent.toFixed(2)), least, most) ? 'supported' : 'not supported',
    evidence: `${percent.toFixed(3)} % of this backbone`,
  };
}

function transfer(result: TaskResult): Verdict {
  return {
    claim: `${result.title}: prompt tuning is better than fine-tuning in languages it was not trained on.`,
    rule: 'PT - FT on the mean without English is above its standard deviation over the seeds; contradicted when it is below minus that.',
    ...sign(result.others),
  };
}

function gap(result: TaskResult): Verdict[] {
  if (!result.gap) return [];
  const { difference } = result.gap;
  const smaller: Row = { ...result.gap, difference: negated(difference) };
  return [
    {
      claim: `${result.title}: the gap between English and the other languages is smaller.`,
      rule: 'The gap of FT minus that of PT is above its standard deviation over the seeds.',
      ...sign(smaller),
    },
  ];
}

function byGroup(result: TaskResult, groups: ReadonlyMap<string, Group>): Verdict[] {
  return GROUPS.flatMap((group) => {
    const rows = result.languages.filter(({ name }) => groups.get(name) === group);
    if (rows.length === 0) return [];
    const difference = meanDifference(rows);
    return [
      {
        claim: `${result.title}: on par or better in ${group} resource languages (${rows.map(({ name }) => name).join(' ')}).`,
        rule: 'PT - FT on the mean of the group is not below minus its standard deviation over the seeds.',
        finding: atLeast(difference),
        evidence: shown(difference),
      },
    ];
  });
}

/** Mean of the rows' differences, seed by seed. */
export function meanDifference(rows: readonly Row[]): Spread {
  const seeds = rows[0]!.difference.values.map((_, seed) => seed);
  return spread(
    seeds.map(
      (seed) => rows.reduce((sum, row) => sum + row.difference.values[seed]!, 0) / rows.length,
    ),
  );
}

/** States are analysed for one seed, so what counts as noise here is that over tasks and languages. */
function boundaries({ results }: Facts): Verdict {
  const pairs = results.flatMap(({ records }) => {
    const [ft, pt] = (['FT', 'PT'] as const).map((method) => {
      const record = records.find((each) => each.method === method && each.analysis);
      return new Map(Object.entries(record?.analysis?.alignment ?? {}));
    });
    return [...ft!].flatMap(([language, { english, refitted }]) => {
      const other = pt!.get(language);
      if (!other) return [];
      return [{ ft: 100 * (refitted - english), pt: 100 * (other.refitted - other.english) }];
    });
  });
  const claim = 'Decision boundaries are better aligned across languages after prompt tuning.';
  const rule =
    'What the English classifier loses against one refitted in the language is smaller for PT, by more than the standard error of the difference over tasks and languages; contradicted when it is larger by more.';
  if (pairs.length < 2) {
    const evidence = 'no classification task with several languages';
    return { claim, rule, finding: 'not tested', evidence };
  }
  const { mean, deviation } = spread(pairs.map(({ ft, pt }) => ft - pt));
  const error = deviation! / Math.sqrt(pairs.length);
  const [ft, pt] = (['ft', 'pt'] as const).map((key) =>
    spread(pairs.map((pair) => pair[key])).mean.toFixed(1),
  );
  return {
    claim,
    rule,
    finding: mean > error ? 'supported' : mean < -error ? 'contradicted' : 'not supported',
    evidence: `loss of ${pt} points for PT, ${ft} for FT; the difference is known to ± ${error.toFixed(1)}, from ${pairs.length} languages`,
  };
}

function tokens({ fertility }: Facts): Verdict {
  const { rho, n, p } = fertility;
  return {
    claim: 'The gain of prompt tuning is tied to how the tokenizer cuts a language.',
    rule: 'The rank correlation of fertility with PT - FT has p < 0.05, either sign.',
    finding: rho === null ? 'not tested' : p! < 0.05 ? 'supported' : 'not supported',
    evidence: rho === null ? `${n} languages` : `rho ${rho.toFixed(2)}, n ${n}, p ${p!.toFixed(3)}`,
  };
}

function sign(row: Row | null): Pick<Verdict, 'finding' | 'evidence'> {
  if (!row) return { finding: 'not tested', evidence: 'no language besides English' };
  const { mean, deviation: noise } = row.difference;
  const evidence = shown(row.difference);
  if (noise === null) return { finding: 'not tested', evidence };
  const finding = mean > noise ? 'supported' : mean < -noise ? 'contradicted' : 'not supported';
  return { finding, evidence };
}

function atLeast({ mean, deviation }: Spread): Finding {
  if (deviation === null) return 'not tested';
  return mean >= -deviation ? 'supported' : 'contradicted';
}

function shown({ mean, deviation, values }: Spread): string {
  const signed = `${mean >= 0 ? '+' : ''}${mean.toFixed(2)}`;
  return deviation === null
    ? `${signed} points, one seed`
    : `${signed} ± ${deviation.toFixed(2)} points, ${values.length} seeds`;
}

const negated = ({ mean, deviation, values }: Spread): Spread => ({
  mean: -mean,
  deviation,
  values: values.map((value) => -value),
});

const within = (value: number, least: number, most: number) => value >= least && value <= most;
