/** Arguments to an exit code: parses, runs the command, renders whatever it throws. */
import { Command, CommanderError } from 'commander';
import { createColors } from 'picocolors';
import manifest from '../package.json' with { type: 'json' };
import { backboneCommand } from './commands/backbone.ts';
import { evaluateCommand } from './commands/evaluate.ts';
import { filesCommand } from './commands/files.ts';
import { inferCommand } from './commands/infer.ts';
import { jobsCommand } from './commands/jobs.ts';
import { keysCommand } from './commands/keys.ts';
import { predictCommand } from './commands/predict.ts';
import { promptCommand } from './commands/prompt.ts';
import { promptsCommand } from './commands/prompts.ts';
import { reproduceCommand } from './commands/reproduce.ts';
import { serveCommand } from './commands/serve.ts';
import { tuneCommand } from './commands/tune.ts';
import { ChildExit, EXIT, EXIT_HELP, exitCodeOf, messageOf } from './errors.ts';

/** Runs one command line. Never throws. */
export async function run(args: readonly string[]): Promise<number> {
  try {
    await program().parseAsync([...args], { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    // commander, or the child, has printed its own message by now.
    if (!(error instanceof CommanderError || error instanceof ChildExit)) {
      const red = createColors(process.stderr.isTTY === true && !process.env.NO_COLOR).red;
      const debug = (process.env.DEBUG ?? '').split(',').includes('polyprompt');
      console.error(`${red('polyprompt:')} ${messageOf(error, debug)}`);
    }
    return exitCodeOf(error);
  }
}

/** All commands with their options. */
export function program(): Command {
  const root = new Command('polyprompt')
    .description('Train small prompts for a frozen multilingual model, and predict with them.')
    .version(manifest.version)
    .addHelpText(
      'after',
      `
Examples:
  polyprompt tune --train train.jsonl --dev dev.jsonl --out topics
  polyprompt predict --prompt topics --text "Es regnet seit heute früh."
  polyprompt evaluate --prompt topics --data test.jsonl`,
    )
    .addHelpText('afterAll', EXIT_HELP);
  const commands = [
    tuneCommand(),
    predictCommand(),
    evaluateCommand(),
    promptCommand(),
    backboneCommand(),
    reproduceCommand(),
    serveCommand(),
    filesCommand(),
    jobsCommand(),
    promptsCommand(),
    keysCommand(),
    inferCommand(),
  ];
  for (const command of commands) root.addCommand(command);
  throwInsteadOfExit(root);
  return root;
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride().showHelpAfterError('(--help shows all options)');
  command.commands.forEach(throwInsteadOfExit);
}
