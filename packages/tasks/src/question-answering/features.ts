import { type DatasetIssue, excerptOf, makeIssue, quoted } from '../datasets/issue.ts';
import type { ContextTokens, EncodedExamples, Encoder, Feature, TokenLimits } from '../task.ts';
import type { GoldAnswer, QuestionExample, SpanTarget } from './types.ts';
import { encodeQuestions } from './windows.ts';

/**
 * Windows with the place of the first answer. In windows without the whole of it, and for impossible
 * questions, the target is the first token of the row.
 */
export async function questionFeatures(
  examples: readonly QuestionExample[],
  _labels: readonly string[],
  encoder: Encoder,
  limits: TokenLimits,
): Promise<EncodedExamples<SpanTarget>> {
  const { pieces, contexts, overruns } = await encodeQuestions(
    examples.map(({ input }) => input),
    encoder,
    limits,
    { maxTokens: limits.maxTokens },
  );
  const issues: DatasetIssue[] = [];
  const spans = examples.map((example, i) => spanOf(example, contexts[i]!, issues));
  const features: Feature<SpanTarget>[] = [];
  for (const { offset, ...piece } of pieces) {
    const span = spans[piece.example];
    if (span !== undefined)
      features.push({ ...piece, target: targetIn(piece.context, offset, span) });
  }
  for (const { example, tokens, limit } of overruns) {
    issues.push(overrunIssue(examples[example]!, tokens, limit!, limits.truncate));
  }
  return {
    features,
    issues: issues.sort((a, b) => a.line! - b.line!),
    truncated: limits.truncate ? overruns.length : 0,
  };
}

/** First and last token of the answer in the whole context; null for none. */
type Span = readonly [first: number, last: number] | null;

function spanOf(
  { gold, line, input }: QuestionExample,
  context: ContextTokens,
  issues: DatasetIssue[],
): Span | undefined {
  const excerpt = excerptOf(input.question);
  if (gold === undefined) {
    const message = 'the question has no answer';
    issues.push(makeIssue('missing_answer', { line, message, excerpt, suggestion: 'add one' }));
    return undefined;
  }
  const answer = gold[0];
  if (context.starts.length === 0) {
    const message = 'no token of the backbone stands for anything in the context';
    const suggestion = 'check the characters of the context, or delete the row';
    issues.push(
      makeIssue('answer_without_tokens', {
        line,
        message,
        excerpt,
        suggestion,
        answer: answer?.text ?? '',
      }),
    );
    return undefined;
  }
  if (answer === undefined) return null;
  const span = tokensOf(answer, context);
  if (span) return span;
  issues.push(
    makeIssue('answer_without_tokens', {
      line,
      message: `no token of the backbone stands for the answer ${quoted(answer.text)}`,
      excerpt,
      suggestion: 'check its characters, or choose another answer',
      answer: excerptOf(answer.text),
    }),
  );
  return undefined;
}

/** The tokens that overlap the answer; undefined if none does. */
function tokensOf({ text, start }: GoldAnswer, { starts, ends }: ContextTokens): Span | undefined {
  const end = start + [...text].length;
  const first = ends.findIndex((tokenEnd, i) => tokenEnd > start && tokenEnd > starts[i]!);
  const last = starts.findLastIndex((tokenStart, i) => tokenStart < end && ends[i]! > tokenStart);
  return first < 0 || last < first ? undefined : [first, last];
}

function targetIn({ first, starts }: ContextTokens, offset: number, span: Span): SpanTarget {
  const inside = span && span[0] >= offset && span[1] < offset + starts.length;
  if (!inside) return { start: 0, end: 0 };
  return { start: first + span[0] - offset, end: first + span[1] - offset };
}

function overrunIssue(
  { line, input }: QuestionExample,
  tokens: number,
  limit: number,
  truncate: boolean,
): DatasetIssue {
  const length = `the question has ${tokens.toLocaleString('en')} tokens`;
  const excerpt = excerptOf(input.question);
  if (truncate) {
    const message = `${length} and is cut to ${limit}, to leave room for its context`;
    return makeIssue('truncated', { line, message, excerpt, tokens, limit });
  }
  return makeIssue('too_many_tokens', {
    line,
    message: `${length}; at most ${limit} leave room for its context`,
    excerpt,
    suggestion: 'shorten the question, raise the length of rows, or ask for truncation',
    tokens,
    limit,
  });
}
