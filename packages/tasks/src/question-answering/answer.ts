// The answers of all windows together.

import { CodePoints } from '@polyprompt/text';
import { TaskError } from '../errors.ts';
import type { ScoredPiece } from '../task.ts';
import { decodeWindow, type Span } from './decode.ts';
import type { QuestionAnswer, QuestionInput, QuestionOptions, SpanAnswer } from './types.ts';
import { wholeWords } from './whole-words.ts';

export const MAX_ANSWER_TOKENS = 30;

/**
 * The best answers in the context. Spans that read the same (but for capitals) are one answer with the
 * sum of their scores, as in Hugging Face's pipeline; across windows, which overlap and judge the same
 * span again, the best of the sums counts. "There is none" has the least score that any window gives it,
 * and is the answer for a context without tokens, whatever was asked for.
 * @throws TaskError `bad_logits`, `bad_option`
 */
export function answerQuestion(
  { context: text }: QuestionInput,
  pieces: readonly ScoredPiece[],
  options: QuestionOptions = {},
): QuestionAnswer {
  const { topK = 1, maxAnswerTokens = MAX_ANSWER_TOKENS, alignToWords = true } = options;
  const { handleImpossible = false, nullThreshold = 0 } = options;
  requireCount('topK', topK);
  requireCount('maxAnswerTokens', maxAnswerTokens);
  if (!Number.isFinite(nullThreshold)) {
    throw new TaskError('bad_option', `nullThreshold is ${nullThreshold}; it must be a number`);
  }
  if (pieces.length === 0) throw new TaskError('bad_logits', 'the question has no window');
  const context = new CodePoints(text);
  // More than asked for, since several may turn out to be one.
  const windows = pieces.map((piece) => decodeWindow(piece, maxAnswerTokens, 2 * topK + 10));
  const answers = new Map<string, SpanAnswer>();
  for (const { spans } of windows) {
    const aligned = alignToWords ? spans.map((span) => wholeWords(span, context)) : spans;
    for (const [key, answer] of merge(aligned, context)) {
      const other = answers.get(key);
      if (other === undefined || other.score < answer.score) answers.set(key, answer);
    }
  }
  const nullScore = windows.reduce((least, window) => Math.min(least, window.nullScore), 1);
  const found = [...answers.values()].sort((a, b) => b.score - a.score);
  const [span] = found;
  const ranked = handleImpossible || !span ? withNone(found, nullScore, nullThreshold) : found;
  return {
    answers: ranked.slice(0, topK),
    span,
    nullScore,
    handlesImpossible: handleImpossible,
    nullThreshold,
  };
}

function merge(spans: readonly Span[], context: CodePoints): Map<string, SpanAnswer> {
  const answers = new Map<string, SpanAnswer>();
  for (const { start, end, score } of spans) {
    const answer = context.slice(start, end);
    const key = answer.toLowerCase();
    const same = answers.get(key);
    if (same) answers.set(key, { ...same, score: Math.min(1, same.score + score) });
    else answers.set(key, { answer, score, start, end });
  }
  return answers;
}

/**
 * "There is none" among the spans: first where its log probability is more than the threshold above the
 * best span's. The scores are the probabilities that result when its odds are divided by e^threshold.
 */
function withNone(
  spans: readonly SpanAnswer[],
  nullScore: number,
  threshold: number,
): SpanAnswer[] {
  const none = { answer: '', start: 0, end: 0 };
  const [best] = spans;
  if (best === undefined) return [{ ...none, score: nullScore }];
  // What is not "none"; rounding may have left less of it than the best span has.
  const rest = Math.max(1 - nullScore, best.score);
  const logOdds = Math.log(nullScore) - Math.log(rest) - threshold;
  const score = 1 / (1 + Math.exp(-logOdds));
  const factor = rest === 0 ? 0 : 1 / (1 + Math.exp(logOdds)) / rest;
  const answers = spans.map((span) => ({ ...span, score: span.score * factor }));
  const at = answers.findIndex((span) => span.score < score);
  answers.splice(at < 0 ? answers.length : at, 0, { ...none, score });
  return answers;
}

function requireCount(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new TaskError('bad_option', `${name} is ${value}; it must be a whole number of at least 1`);
}
