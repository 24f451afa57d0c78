/**
 * Zero-shot classification: a prompt trained on text pairs (does the text entail the hypothesis?) judges
 * the text against one hypothesis per candidate label. Scores are those of Hugging Face's pipeline: among
 * the candidates, a softmax over their entailment logits; with `multi_label`, each candidate for itself,
 * entailment against contradiction.
 */
import { ApiError, LIMITS, ZeroShotRequest } from '@polyprompt/contract';
import { type LabelScore, sigmoid, softmax, type TextClassificationTypes } from '@polyprompt/tasks';
import type { z } from 'zod';
import type { WireTask } from './wire-task.ts';

type Body = z.output<typeof ZeroShotRequest>;

const TEMPLATE = 'This example is {}.';
const ENTAILMENT = /^entail/i;
const CONTRADICTION = /^contradict/i;

export const zeroShotWire: WireTask<TextClassificationTypes, Body> = {
  task: 'text-classification',
  schema: ZeroShotRequest,
  inputs: 'a text, with parameters.candidate_labels',
  read({ inputs, parameters }) {
    const { candidate_labels: candidates, hypothesis_template, multi_label } = parameters;
    const template = hypothesis_template ?? TEMPLATE;
    checkHypotheses(template, candidates);
    return {
      inputs: candidates.map((label) => ({
        text: inputs,
        textPair: template.replaceAll('{}', () => label),
      })),
      options: { functionToApply: 'none' },
      truncate: false,
      truncates: false,
      inputName: () => 'inputs',
      render(answers) {
        const logits = answers.map((answer) => logitOf(answer, ENTAILMENT));
        const scores = multi_label
          ? answers.map((answer, i) => sigmoid(logits[i]! - logitOf(answer, CONTRADICTION)))
          : softmax(logits);
        return candidates
          .map((label, i) => ({ label, score: scores[i]! }))
          .sort((a, b) => b.score - a.score);
      },
    };
  },
};

/** Before they are made: a body of 2 MB can ask for hypotheses that no memory holds. */
function checkHypotheses(template: string, candidates: readonly string[]): void {
  const places = template.split('{}').length - 1;
  for (const [i, label] of candidates.entries()) {
    const length = template.length + places * (label.length - '{}'.length);
    if (length <= LIMITS.textLength) continue;
    throw ApiError.unprocessable(
      'invalid_value',
      `parameters: the hypothesis of candidate_labels[${i}] has ${length} characters, the limit is ${LIMITS.textLength}; shorten the label or hypothesis_template`,
      'parameters',
    );
  }
}

function logitOf(answer: readonly LabelScore[], label: RegExp): number {
  const found = answer.find((each) => label.test(each.label));
  if (found) return found.score;
  throw ApiError.badRequest(
    'task.mismatch',
    'candidate_labels need a prompt trained on text pairs with the labels "entailment" and "contradiction"; this one has others',
    'parameters.candidate_labels',
  );
}
