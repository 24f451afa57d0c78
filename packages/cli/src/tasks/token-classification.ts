import {
  type TaggingEvaluation,
  type TokenClassificationTypes,
  tokenClassification,
} from '@polyprompt/tasks';
import { count, fixed } from '../format.ts';
import { table } from '../table.ts';
import { rounded, type TaskView } from './view.ts';

export const tokenClassificationView: TaskView<TokenClassificationTypes> = {
  task: tokenClassification,
  flags: ['text', 'aggregation', 'ignoreLabels', 'stride', 'offsetUnit'],
  rows: ({ text = [] }) => text.map((one) => ({ text: one })),
  usage: () => '--text "..."',
  options: ({ aggregation, ignoreLabels, stride, offsetUnit }) => ({
    ...(aggregation && { aggregation }),
    ...(ignoreLabels && { ignoreLabels }),
    ...(stride !== undefined && { stride }),
    ...(offsetUnit && { offsetUnit }),
  }),
  line: ({ text, tokens }, { entities, tags }) => ({
    ...(tokens === undefined ? { text } : { tokens, tags }),
    entities: entities.map(({ tag, index, group, score, word, start, end }) => ({
      ...(tag !== undefined && { entity: tag, index }),
      ...{ entity_group: group, score: rounded(score), word, start, end },
    })),
  }),
  metrics: ({ metrics }) =>
    'f1_seqeval_bare' in metrics
      ? ['accuracy', 'f1_macro', 'f1_seqeval_bare']
      : ['precision', 'recall', 'f1', 'accuracy'],
  unknownLabels({ perLabel }, labels) {
    const known = new Set(labels.map((label) => label.replace(/^[BI]-/, '')));
    return perLabel.map(({ label }) => label).filter((label) => !known.has(label));
  },
  details: perLabelTable,
};

function perLabelTable(title: string, { perLabel }: TaggingEvaluation): string {
  const rows = perLabel.map(({ label, precision, recall, f1, support, predicted }) => [
    label,
    ...[precision, recall, f1].map(fixed),
    ...[support, predicted].map(count),
  ]);
  const head = ['label', 'precision', 'recall', 'f1', 'in the data', 'found'];
  return `${title}, per label\n${table(head, rows, 'lrrrrr')}`;
}
