import { describe, expect, it } from 'vitest';
import { PAPERS } from './papers.ts';
import type { Row, TaskResult } from './results.ts';
import { spread } from './statistics.ts';
import { type Facts, judge } from './verdict.ts';

const row = (name: string, FT: number[], PT: number[]): Row => ({
  name,
  FT: spread(FT),
  PT: spread(PT),
  difference: spread(PT.map((value, i) => value - FT[i]!)),
});

function result(others: Row, gap: Row, languages: Row[] = []): TaskResult {
  const id = 'pawsx';
  return {
    id,
    title: 'PAWS-X',
    metric: 'accuracy',
    languages,
    english: null,
    mean: others,
    others,
    gap,
    records: [],
  };
}

const facts = (results: TaskResult[], more: Partial<Facts> = {}): Facts => ({
  paper: PAPERS.tu2022,
  results,
  share: 0.14,
  groups: new Map(),
  fertility: { rho: null, n: 2, p: null },
  ...more,
});

const findings = (of: Facts) => judge(of).map(({ finding }) => finding);

describe('the verdict on Tu et al.', () => {
  it('supports what is clear of the noise', () => {
    const better = result(
      row('others', [40, 41, 42], [50, 51, 53]),
      row('gap', [9, 9, 10], [4, 4, 4]),
    );
    expect(findings(facts([better]))).toEqual([
      'supported',
      'supported',
      'supported',
      'not tested',
    ]);
  });

  it('does not support what drowns in it, and contradicts the opposite', () => {
    const noise = result(
      row('others', [40, 50, 45], [47, 44, 46]),
      row('gap', [4, 4, 4.1], [9, 9, 10]),
    );
    expect(findings(facts([noise])).slice(1, 3)).toEqual(['not supported', 'contradicted']);
  });

  it('decides nothing by one seed', () => {
    const once = result(row('others', [40], [50]), row('gap', [9], [4]));
    expect(findings(facts([once])).slice(1, 3)).toEqual(['not tested', 'not tested']);
  });

  it('measures the tuned share against the range of the abstract', () => {
    expect(findings(facts([], { share: 0.299 }))[0]).toBe('supported');
    expect(findings(facts([], { share: 0.45 }))[0]).toBe('not supported');
  });
});

describe('the verdict on decision boundaries', () => {
  /** One record for each method; its English classifier loses so many points by language. */
  const withLosses = (ft: number[], pt: number[]): TaskResult => {
    const record = (method: 'FT' | 'PT', losses: readonly number[]) => {
      const alignment = Object.fromEntries(
        losses.map((loss, i) => [
          `l${i}`,
          { english: 0.8 - loss / 100, refitted: 0.8, agreement: 1 },
        ]),
      );
      return { method, analysis: { alignment } } as unknown as TaskResult['records'][number];
    };
    const one = row('x', [1], [1]);
    return { ...result(one, one), records: [record('FT', ft), record('PT', pt)] };
  };
  const finding = (...results: TaskResult[]) => findings(facts(results)).at(-1);

  it('follows what English boundaries lose, language by language', () => {
    expect(finding(withLosses([20, 22, 19], [10, 11, 12]))).toBe('supported');
    expect(finding(withLosses([10, 11, 12], [20, 22, 19]))).toBe('contradicted');
    expect(finding(withLosses([20, 22], [10, 11]), withLosses([9, 8], [9, 8]))).toBe('supported');
  });

  it('does not call equal worse, nor take one language for many', () => {
    expect(finding(withLosses([9.4, 5], [9.4, 5]))).toBe('not supported');
    expect(finding(withLosses([20, 5, 9], [5, 20, 9]))).toBe('not supported');
    expect(finding(withLosses([20], [5]))).toBe('not tested');
    expect(finding(withLosses([], []))).toBe('not tested');
  });
});

describe('the verdict on Park et al.', () => {
  it('looks at every resource group and at the tokenizer', () => {
    const languages = [row('de', [50, 51], [55, 56]), row('sw', [30, 31], [20, 20])];
    const of = facts(
      [result(row('others', [40, 41], [40, 42]), row('gap', [1, 1], [1, 1]), languages)],
      {
        paper: PAPERS.park2023,
        groups: new Map([
          ['de', 'high'],
          ['sw', 'low'],
        ]),
        fertility: { rho: 0.8, n: 12, p: 0.01 },
      },
    );
    const verdicts = judge(of);
    expect(verdicts.map(({ finding }) => finding)).toEqual([
      'not supported',
      'not supported',
      'supported',
      'contradicted',
      'supported',
    ]);
    expect(verdicts[3]!.claim).toContain('low resource languages (sw)');
  });
});
