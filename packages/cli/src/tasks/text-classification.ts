import {
  type ClassificationScores,
  type TextClassificationTypes,
  textClassification,
} from '@polyprompt/tasks';
import { count, fixed } from '../format.ts';
import { table } from '../table.ts';
import { roundedScores, type TaskView } from './view.ts';

export const textClassificationView: TaskView<TextClassificationTypes> = {
  task: textClassification,
  flags: ['text', 'textPair', 'topK'],
  rows({ text = [], textPair = [] }) {
    return text.map((one, i) => ({ text: one, text_pair: textPair[i] }));
  },
  usage: ({ textPair }) =>
    textPair === undefined ? '--text "..."' : '--text "..." --text-pair "..."',
  options: () => ({}),
  line({ text, textPair }, answer, { topK }) {
    const scores = roundedScores(answer);
    return {
      text,
      ...(textPair === undefined ? {} : { text_pair: textPair }),
      ...scores[0]!,
      scores: scores.slice(0, topK),
    };
  },
  metrics: () => ['accuracy', 'f1_macro'],
  unknownLabels: ({ perLabel }, labels) => perLabel.slice(labels.length).map(({ label }) => label),
  details: (title, evaluation) =>
    [labelTable(title, evaluation), ...confusionTable(title, evaluation)].join('\n'),
};

function labelTable(title: string, { perLabel }: ClassificationScores): string {
  const scores = perLabel.map(({ label, precision, recall, f1, support }) => [
    label,
    fixed(precision),
    fixed(recall),
    fixed(f1),
    count(support),
  ]);
  const rows = table(['label', 'precision', 'recall', 'f1', 'examples'], scores, 'lrrrr');
  return `${title}, per label\n${rows}\n`;
}

function confusionTable(title: string, { perLabel, confusion }: ClassificationScores): string[] {
  if (!confusion) return [];
  const labels = perLabel.map(({ label }) => label);
  const taken = confusion.map((counts, i) => [labels[i]!, ...counts.map((value) => count(value))]);
  const rows = table(['', ...labels], taken, `l${'r'.repeat(labels.length)}`);
  return [`${title}, label (row) and prediction (column)\n${rows}`];
}
