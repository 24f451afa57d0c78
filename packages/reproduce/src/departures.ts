/** Everything in which a comparison differs from the paper's, in words. */
import type { Backbone } from '@polyprompt/backbone';
import type { TaskFiles } from './data.ts';
import type { Paper } from './papers.ts';
import type { TaskResult } from './results.ts';

export interface Conditions {
  readonly paper: Paper;
  readonly backbone: Backbone;
  readonly files: ReadonlyMap<string, TaskFiles>;
  readonly results: readonly TaskResult[];
  readonly seeds: number;
  readonly recipes: 'paper' | 'default';
  /** Settings that replaced those of the recipes. */
  readonly overrides: Readonly<Record<string, unknown>>;
  readonly testExamples: number | null;
}

export function departures(conditions: Conditions): string[] {
  const { paper, backbone, files, results, seeds, recipes, overrides, testExamples } = conditions;
  const { spec } = backbone;
  const list = [
    `Backbone: ${backbone.name} (${spec.family}, ${spec.layers} layers of ${spec.hidden}, ` +
      `${(backbone.parameters / 1e6).toFixed(0)} M parameters) instead of ${paper.backbones}.`,
    `Seeds: ${seeds}; how many the paper used could not be sourced.`,
    'Fine-tuning keeps the version that is best on English dev, as prompt tuning does; the released scripts keep the last epoch for most tasks.',
    'Both methods train the same linear head on the same state; the released fine-tuning of pairs trains a head of two layers.',
    'The backbone runs without dropout in both methods.',
  ];
  if (spec.family !== paper.family) {
    list.push(`The paper is about ${paper.family} models; this is a ${spec.family} model.`);
  }
  if (recipes === 'default') {
    list.push(
      "Settings: this project's default recipes for both methods, not the papers', which were made for large backbones.",
    );
  }
  if (paper.name === 'park2023') {
    list.push(
      'Only the abstract could be sourced: prompt design (a prefix of 14 per layer), learning rates, lengths, epochs, the training language (English) and the resource groups are ours.',
    );
  } else {
    list.push(
      'The fine-tuning learning rates are not in the released code; 3e-5 for answers is what its author named, the others are those of the XTREME scripts.',
    );
  }
  for (const [name, value] of Object.entries(overrides)) {
    list.push(`Setting ${name} is ${JSON.stringify(value)} in all runs, whatever the recipe says.`);
  }
  for (const task of paper.tasks) {
    const result = results.find(({ id }) => id === task.id);
    if (!result) {
      list.push(`${task.title}: not run, no data given.`);
      continue;
    }
    const have = result.languages.map(({ name }) => name);
    const missing = task.languages.filter((language) => !have.includes(language));
    const added = have.filter((language) => !task.languages.includes(language));
    const { train, dev } = result.records[0]!.examples;
    list.push(
      `${task.title}: ${train} training and ${dev} dev examples` +
        (missing.length > 0 ? `; without ${missing.join(' ')}` : '') +
        (added.length > 0 ? `; with ${added.join(' ')}, which the paper did not have` : '') +
        (testExamples ? `; at most ${testExamples} test examples per language` : '') +
        '.',
    );
    const note = files.get(task.id)?.note;
    if (note) list.push(`${task.title}: ${note}`);
    if (!files.get(task.id)?.dev) {
      list.push(`${task.title}: no dev file, a tenth of the training data is held out.`);
    }
  }
  return list;
}
