// From the logits of all windows to one distribution over the tags per word.

import { TaskError } from '../errors.ts';
import { softmax } from '../metrics/scores.ts';
import type { ScoredPiece } from '../task.ts';
import { AGGREGATIONS, type Aggregation } from './types.ts';

export interface TokenScores {
  readonly row: number;
  /** Which word it is a part of. */
  readonly word: number;
  /** In code points of the words joined by spaces. */
  readonly offset: readonly [start: number, end: number];
  readonly probabilities: readonly number[];
}

/**
 * The tokens that count, in the order of the text.
 * @throws TaskError `bad_logits`
 */
export function tokenScores(pieces: readonly ScoredPiece[], classes: number): TokenScores[] {
  const tokens = pieces.flatMap(({ ids, logits, spans }) => {
    if (spans === undefined || logits.length !== ids.length * classes) {
      throw new TaskError(
        'bad_logits',
        `${logits.length} logits for ${ids.length} tokens and ${classes} tags`,
      );
    }
    return spans.wordIds.flatMap((word, token): TokenScores[] => {
      if (word === null) return [];
      const own = logits.subarray(token * classes, (token + 1) * classes);
      const bad = own.findIndex((value) => !Number.isFinite(value));
      if (bad >= 0) throw new TaskError('bad_logits', `a logit of token ${token} is ${own[bad]}`);
      const [row, offset] = [spans.rows[token]!, spans.offsets[token]!];
      return [{ row, word, offset, probabilities: softmax(own) }];
    });
  });
  return tokens.sort((a, b) => a.row - b.row);
}

/**
 * One distribution per word, of its tokens in the order of the text.
 * @returns undefined for a word without tokens
 * @throws TaskError `bad_option`
 */
export function wordScores(
  tokens: readonly TokenScores[],
  words: number,
  aggregation: Aggregation,
  causal: boolean,
): (readonly number[] | undefined)[] {
  const byWord = Map.groupBy(tokens, ({ word }) => word);
  return Array.from({ length: words }, (_, word) => {
    const own = byWord.get(word)?.map(({ probabilities }) => probabilities);
    return own && combine(own, aggregation, causal);
  });
}

function combine(
  tokens: readonly (readonly number[])[],
  aggregation: Aggregation,
  causal: boolean,
): readonly number[] {
  switch (aggregation) {
    case 'none':
    case 'simple':
      return tokens.at(causal ? -1 : 0)!;
    case 'first':
      return tokens[0]!;
    case 'average':
      return tokens[0]!.map(
        (_, i) => tokens.reduce((sum, token) => sum + token[i]!, 0) / tokens.length,
      );
    case 'max': {
      const peaks = tokens.map((token) => Math.max(...token));
      return tokens[peaks.indexOf(Math.max(...peaks))]!;
    }
    default:
      aggregation satisfies never;
      throw new TaskError(
        'bad_option',
        `aggregation is "${aggregation}"; choose one of ${AGGREGATIONS.join(', ')}`,
      );
  }
}
