/** `polyprompt prompt show` and `verify`: what is in a prompt folder, and whether it is sound. */
import { promptLength, readPrompt, verifyPrompt } from '@polyprompt/prompts';
import { Command } from 'commander';
import { CliError } from '../errors.ts';
import { bytes, count, duration, plural } from '../format.ts';
import { facts, table } from '../table.ts';
import { candidateLines } from '../tune-report.ts';
import { exportCommand, importCommand } from './prompt-exchange.ts';

export function promptCommand(): Command {
  const show = new Command('show')
    .description('Say what a prompt is, how it came about and how good it is.')
    .argument('<dir>', 'folder that "polyprompt tune" wrote')
    .option('--json', 'the whole card as JSON')
    .addHelpText('after', '\nExamples:\n  polyprompt prompt show topics')
    .action((dir: string, { json }: { readonly json?: boolean }) => {
      console.log(json ? JSON.stringify(readPrompt(dir).card, null, 2) : summary(dir));
    });
  const verify = new Command('verify')
    .description('Check every byte of a prompt folder; exit code 1 if anything is damaged.')
    .argument('<dir...>', 'folders that "polyprompt tune" wrote')
    .addHelpText(
      'after',
      '\nExamples:\n  polyprompt prompt verify topics\n  polyprompt prompt verify prompts/*',
    )
    .action(verifyAll);
  return new Command('prompt')
    .description('Look at prompt folders, and exchange them with PEFT.')
    .addCommand(show)
    .addCommand(verify)
    .addCommand(exportCommand())
    .addCommand(importCommand());
}

function verifyAll(dirs: readonly string[]): void {
  const problems = dirs.flatMap((dir) => {
    const found = verifyPrompt(dir).map(({ message, code }) => `${message} [${code}]`);
    if (found.length === 0) console.log(`${dir}: sound`);
    return found;
  });
  if (problems.length > 0) throw new CliError('damaged_prompt', problems.join('\n'));
}

function summary(dir: string): string {
  const { prompt, card } = readPrompt(dir);
  const { training } = prompt;
  const { lineage, answering } = card;
  const length = promptLength(prompt);
  const about = facts([
    ['task', prompt.task],
    ['labels', `${prompt.labels.length}: ${prompt.labels.join(', ')}`],
    ['method', length > 0 ? `${prompt.method}, ${plural(length, 'virtual token')}` : prompt.method],
    ['values', `${count(card.parameters)} (${bytes(card.prompt.bytes)})`],
    ['backbone', `${prompt.backboneName} (${prompt.backbone})`],
    ['pooling', prompt.pooling],
    ['positions', prompt.positions],
    ['recipe', `${training.recipe}, seed ${training.seed}`],
    [
      'trained',
      `${plural(training.steps, 'step')}, the best one was ${count(training.best)}, in ${duration(card.wall_seconds)} on ${card.device}`,
    ],
    ['examples', `${count(training.examples.train)} train, ${count(training.examples.dev)} dev`],
    ['data', card.data.map(({ role, name }) => `${role} ${name}`).join(', ')],
    ...(lineage.parent
      ? [['continues', `${lineage.parent.ref} (card ${lineage.parent.hash})`] as const]
      : []),
    ...(answering
      ? [['no answer', `by a threshold of ${answering.nullThreshold.toFixed(3)}`] as const]
      : []),
    ['created', card.created],
    ['hash', card.prompt.hash],
    ...candidateLines(card).map((line, i) => [i === 0 ? 'candidates' : '', line] as const),
  ]);
  const { dev } = card.metrics;
  if (dev === undefined) return about;
  const names = Object.keys(dev.overall);
  const rows = [...Object.entries(dev.languages), ['all', dev.overall] as const].map(
    ([language, scores]) => [language, ...names.map((name) => (scores[name] ?? 0).toFixed(4))],
  );
  return `${about}\n\n${table(['dev', ...names], rows, `l${'r'.repeat(names.length)}`)}`;
}
