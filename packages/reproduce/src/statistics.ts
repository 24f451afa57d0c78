/** The few statistics that the report states, with how sure one may be of them. */
import { mean, sampleRankCorrelation, sampleStandardDeviation } from 'simple-statistics';

export interface Spread {
  readonly mean: number;
  /** Sample standard deviation over the seeds; null for one seed. */
  readonly deviation: number | null;
  readonly values: readonly number[];
}

export function spread(values: readonly number[]): Spread {
  const list = [...values];
  return {
    mean: mean(list),
    deviation: list.length > 1 ? sampleStandardDeviation(list) : null,
    values: list,
  };
}

export interface Correlation {
  /** Spearman's rank correlation; null where it is not defined (fewer than 3 points, or all equal). */
  readonly rho: number | null;
  readonly n: number;
  /** Two-sided, by permutation: the share of orders that correlate at least as strongly. */
  readonly p: number | null;
}

const PERMUTATIONS = 10_000;

/** @param random uniform in [0, 1); the permutations are drawn from it */
export function rankCorrelation(
  x: readonly number[],
  y: readonly number[],
  random: () => number,
): Correlation {
  const n = x.length;
  const constant = (list: readonly number[]) => list.every((value) => value === list[0]);
  if (n < 3 || constant(x) || constant(y)) return { rho: null, n, p: null };
  const rho = sampleRankCorrelation([...x], [...y]);
  let asStrong = 1;
  for (let i = 0; i < PERMUTATIONS; i++) {
    const shuffled = shuffle(y, random);
    if (Math.abs(sampleRankCorrelation([...x], shuffled)) >= Math.abs(rho) - 1e-12) asStrong += 1;
  }
  return { rho, n, p: asStrong / (PERMUTATIONS + 1) };
}

function shuffle(values: readonly number[], random: () => number): number[] {
  const list = [...values];
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}
