import { type DatasetIssue, excerptOf, makeIssue, quoted } from '../datasets/issue.ts';
import type { EncodedExamples, EncodedInputs, Encoder, Feature, TokenLimits } from '../task.ts';
import type { TextExample, TextInput } from './types.ts';

// Bounds the native encodings alive at a time.
const BATCH = 1024;

/** Texts or pairs to one piece each. */
export async function encodeTexts(
  inputs: readonly TextInput[],
  encoder: Encoder,
  { maxTokens, truncate }: TokenLimits,
): Promise<EncodedInputs> {
  const pieces = [];
  const overruns = [];
  for (let start = 0; start < inputs.length; start += BATCH) {
    const batch = inputs.slice(start, start + BATCH);
    const encodings = await encoder.encodeBatch(
      batch.map(({ text, textPair }) => (textPair === undefined ? text : [text, textPair])),
      { truncateTo: maxTokens },
    );
    for (const [i, { ids, typeIds, fullLength }] of encodings.entries()) {
      const example = start + i;
      if (fullLength > maxTokens) {
        overruns.push({ example, tokens: fullLength });
        if (!truncate) continue;
      }
      pieces.push({ example, ids, typeIds });
    }
  }
  return { pieces, overruns };
}

/** Examples to pieces with the index of their label. */
export async function textFeatures(
  examples: readonly TextExample[],
  labels: readonly string[],
  encoder: Encoder,
  limits: TokenLimits,
): Promise<EncodedExamples<number>> {
  const { pieces, overruns } = await encodeTexts(
    examples.map(({ input }) => input),
    encoder,
    limits,
  );
  const classes = new Map(labels.map((label, index) => [label, index]));
  const features: Feature<number>[] = [];
  const issues: DatasetIssue[] = [];
  for (const piece of pieces) {
    const { gold, line, input } = examples[piece.example]!;
    const target = gold === undefined ? undefined : classes.get(gold);
    if (target !== undefined) features.push({ ...piece, target });
    else issues.push(labelIssue(gold, line, input.text));
  }
  for (const { example, tokens } of overruns) {
    const { line, input } = examples[example]!;
    issues.push(overrunIssue(line, input.text, tokens, limits));
  }
  return {
    features,
    issues: issues.sort((a, b) => a.line! - b.line!),
    truncated: limits.truncate ? overruns.length : 0,
  };
}

function labelIssue(gold: string | undefined, line: number, text: string): DatasetIssue {
  const excerpt = excerptOf(text);
  if (gold === undefined) {
    const message = 'the row has no label';
    return makeIssue('missing_label', { line, message, excerpt, suggestion: 'add the label' });
  }
  return makeIssue('unknown_label', {
    line,
    message: `the label ${quoted(gold)} is not one of those that are learned`,
    excerpt,
    suggestion: 'correct its spelling or delete the row',
    label: gold,
  });
}

function overrunIssue(
  line: number,
  text: string,
  tokens: number,
  { maxTokens: limit, truncate }: TokenLimits,
): DatasetIssue {
  const length = `the text has ${tokens.toLocaleString('en')} tokens, special ones included`;
  const excerpt = excerptOf(text);
  return truncate
    ? makeIssue('truncated', {
        line,
        message: `${length}, and is cut to ${limit}`,
        excerpt,
        tokens,
        limit,
      })
    : makeIssue('too_many_tokens', {
        line,
        message: `${length}; the limit is ${limit}`,
        excerpt,
        suggestion: 'shorten or split the text, or ask for truncation',
        tokens,
        limit,
      });
}
