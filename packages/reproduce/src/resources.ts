/**
 * How much of a language a backbone has seen. The groups need thresholds; those of Park et al. could
 * not be sourced, so they are stated here and printed in the report.
 */

/** Share of the pretraining tokens in percent, before up-sampling, from the model card of XGLM. */
export const XGLM_SHARES: Readonly<Record<string, number>> = {
  en: 48.99,
  ru: 9.01,
  zh: 8.09,
  de: 5.44,
  es: 5.32,
  fr: 4.72,
  ja: 4.03,
  it: 2.56,
  pt: 2.23,
  el: 1.75,
  ko: 1.22,
  fi: 1.02,
  id: 0.94,
  tr: 0.757,
  ar: 0.747,
  vi: 0.683,
  th: 0.661,
  bg: 0.592,
  ca: 0.431,
  hi: 0.21,
  et: 0.2,
  bn: 0.099,
  ta: 0.09,
  ur: 0.082,
  sw: 0.055,
  te: 0.042,
  eu: 0.0064,
  my: 0.0062,
  ht: 0.0053,
  qu: 0.0002,
};

export const GROUPS = ['high', 'middle', 'low', 'unseen'] as const;
export type Group = (typeof GROUPS)[number];

/** Percent of the pretraining tokens from which a language counts as high or middle. */
export const THRESHOLDS = { high: 2, middle: 0.5 } as const;

export function groupOf(language: string, shares: Readonly<Record<string, number>>): Group {
  const share = shares[language];
  if (share === undefined || share === 0) return 'unseen';
  if (share >= THRESHOLDS.high) return 'high';
  return share >= THRESHOLDS.middle ? 'middle' : 'low';
}
