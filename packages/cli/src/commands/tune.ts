/** `polyprompt tune`: from a labelled file to a prompt folder. */
import { type Backbone, openBackbone } from '@polyprompt/backbone';
import { TRAINED_POOLING } from '@polyprompt/prompts';
import { TASK_NAMES } from '@polyprompt/tasks';
import {
  type FileCheck,
  METHODS,
  parseCandidates,
  RECIPES,
  SCHEDULES,
  settingsOfJob,
  TuningError,
  type TuningEvent,
  type TuningInput,
  type TuningJob,
  type TuningSettings,
  tuneInWorker,
} from '@polyprompt/tuning';
import { Command, InvalidArgumentError, Option } from 'commander';
import { modelFolder } from '../backbones/folders.ts';
import { CliError } from '../errors.ts';
import { findings } from '../findings.ts';
import { commandLine, millions, plural } from '../format.ts';
import { catchInterrupts } from '../interrupts.ts';
import {
  type DeviceOptions,
  decimal,
  type ReadingOptions,
  shippedBackbone,
  whole,
  withDevice,
  withReading,
} from '../options.ts';
import { nothingToDo } from '../output-folder.ts';
import { showProgress } from '../progress.ts';
import { reportJson, reportText } from '../tune-report.ts';

interface Options extends DeviceOptions, ReadingOptions {
  readonly task: TuningSettings['task'];
  readonly backbone?: string;
  readonly train: string;
  readonly dev?: string;
  readonly out: string;
  readonly recipe?: string;
  readonly method?: TuningSettings['method'];
  readonly length?: number;
  readonly lr?: number;
  readonly schedule?: TuningSettings['schedule'];
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly seed?: number;
  readonly patience?: number;
  readonly pooling?: TuningSettings['pooling'];
  readonly candidates?: string;
  readonly from?: string;
  readonly reparameterise?: number;
  readonly verbalizer?: Record<string, string>;
  readonly dropout?: number;
  readonly maxTokens?: number;
  readonly truncate?: boolean;
  readonly languages?: string[];
  readonly examples?: number;
  readonly devExamples?: number;
  readonly checkpointSeconds?: number;
  readonly resume?: boolean;
  readonly finish?: boolean;
  readonly force?: boolean;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export function tuneCommand(): Command {
  const choice = (flags: string, description: string, values: readonly string[]) =>
    new Option(flags, description).choices(values);
  const command = new Command('tune')
    .description('Train a prompt on labelled examples. The backbone itself stays as it is.')
    .requiredOption(
      '--train <file>',
      'labelled examples: JSONL, CSV, TSV; CoNLL to tag words; SQuAD JSON to answer questions',
    )
    .option('--dev <file>', 'examples to choose the best version by (default: a tenth of --train)')
    .requiredOption('--out <dir>', 'folder for the prompt')
    .option('--backbone <dir>', 'model folder (default: the one that ships with polyprompt)')
    .addOption(choice('--task <task>', 'what to learn', TASK_NAMES).default('text-classification'))
    .addOption(choice('--recipe <name>', 'where the other settings come from', RECIPES))
    .addOption(choice('--method <method>', 'what is tuned beside the head', METHODS))
    .option('--from <prompt>', 'continue from this prompt folder: same task and backbone')
    .option(
      '--candidates <lists>',
      'train every combination side by side and keep the best: "lr=1e-3,5e-3;seed=1,2"',
    )
    .option('--length <n>', 'length of the prompt in virtual tokens', whole(1))
    .option('--lr <rate>', 'learning rate', decimal)
    .addOption(choice('--schedule <name>', 'how the learning rate decays', SCHEDULES))
    .option('--epochs <n>', 'passes over the training data, at most', whole(1))
    .option('--batch-size <n>', 'examples per step', whole(1))
    .option('--seed <n>', 'the same seed and data give the same prompt, byte for byte', whole(0))
    .option('--patience <n>', 'stop after so many evaluations without gain; 0: never', whole(0))
    .addOption(choice('--pooling <rule>', 'which states the head reads', TRAINED_POOLING))
    .option('--dropout <share>', 'dropout on the prefix', decimal)
    .option('--reparameterise <width>', 'compute the prompt by a network while training', whole(1))
    .option(
      '--verbalizer <list>',
      'decoders: label=word,...; scores of these words instead of a trained head',
      labelWords,
    )
    .option('--max-tokens <n>', 'longest text in tokens', whole(3))
    .option('--truncate', 'cut longer texts instead of refusing them')
    .option('--languages <tag...>', 'train on examples of these languages alone')
    .option('--examples <n>', 'train on so many examples, drawn by the seed', whole(1))
    .option('--dev-examples <n>', 'score on so many of the dev set, drawn by the seed', whole(1))
    .option('--checkpoint-seconds <n>', 'time between two checkpoints (default: 30)', decimal)
    .addOption(
      new Option('--resume', 'continue an interrupted run, same settings').conflicts('force'),
    )
    .addOption(
      new Option(
        '--finish',
        'make a prompt of the best version of an interrupted run, as it is',
      ).conflicts('force'),
    )
    .option('--force', 'replace the prompt or the unfinished run in --out')
    .option('--quiet', 'no progress')
    .option('--json', 'the result as JSON');
  return withDevice(withReading(command))
    .addHelpText(
      'after',
      `
Settings that are not given come from the recipe. The data is checked in full before training begins.
Ctrl-C writes a checkpoint and stops; a second Ctrl-C stops at once.

Examples:
  polyprompt tune --train train.jsonl --dev dev.jsonl --out topics
  polyprompt tune --task token-classification --train train.conll --out names
  polyprompt tune --train train.csv --out topics --method soft --length 20 --epochs 10
  polyprompt tune --backbone ~/models/xlm-roberta-base --train nli.tsv --out nli --recipe tu2022-xnli
  polyprompt tune --train train.jsonl --dev dev.jsonl --out topics --candidates "lr=2e-3,5e-3;seed=1,2"
  polyprompt tune --train more.jsonl --from topics --out topics-2
  polyprompt tune --train train.jsonl --dev dev.jsonl --out topics --resume`,
    )
    .action((options: Options, self: Command) => tune(options, argumentsOf(self)));
}

async function tune(options: Options, args: readonly string[]): Promise<void> {
  const backbone = openBackbone(modelFolder(requireBackbone(options)));
  const job = jobOf(options, backbone);
  const { settings: all } = await settingsOfJob(job, backbone);
  const settings = all[0]!;
  if (nothingToDo(options, backbone, settings)) return;
  const say = (text: string) => process.stderr.write(`${text}\n`);
  if (!options.quiet) say(describe(all, backbone));
  const progress = showProgress(process.stderr, options);
  const interrupts = catchInterrupts(() => {
    progress.stop();
    say('stopping after this step; press again to stop at once');
  });
  let errors: string[] = [];
  const onEvent = (event: TuningEvent) => {
    if (event.type === 'checked') {
      for (const line of linesOf(event.files, options, 'warning')) say(line);
      errors = linesOf(event.files, options, 'error');
    } else if (!interrupts.signal.aborted) progress.onEvent(event);
  };
  try {
    const result = await tuneInWorker(job, { onEvent, signal: interrupts.signal });
    progress.stop();
    console.log((options.json ? reportJson : reportText)(result, backbone, options));
  } catch (error) {
    progress.stop();
    const { code, message } = error as TuningError;
    if (errors.length > 0) throw new CliError('bad_input', errors.join('\n'), { cause: error });
    if (code !== 'interrupted') throw error;
    const again = commandLine([...args, '--resume']);
    throw new TuningError(code, `${message}; continue with\n${again}`, { cause: error });
  } finally {
    interrupts.release();
  }
}

/** Findings with the names of their files, as they were given. */
function linesOf(
  checks: readonly FileCheck[],
  options: Options,
  severity: 'error' | 'warning',
): string[] {
  return checks.flatMap((check) =>
    findings(check, (check.role === 'dev' ? options.dev : undefined) ?? options.train, severity),
  );
}

function requireBackbone({ backbone = shippedBackbone() }: Options): string {
  if (backbone !== undefined) return backbone;
  throw new CliError('usage', 'give the model folder with --backbone DIR');
}

function inputOf(options: Options): TuningInput {
  const { task, recipe, method, length, lr: learningRate, schedule, epochs, batchSize } = options;
  const { seed, patience, pooling, dropout, maxTokens, truncate, languages } = options;
  const { examples, devExamples } = options;
  const { offsetUnit, invalidTags } = options;
  const { reparameterise, verbalizer } = options;
  return {
    ...{ task, recipe, method, length, learningRate, schedule, epochs, batchSize },
    ...{ seed, patience, pooling, dropout, maxTokens, truncate, languages },
    ...{ examples, devExamples },
    ...{ offsetUnit, invalidTags },
    ...{ reparameterise, verbalizer },
  };
}

function jobOf(options: Options, { dir }: Backbone): TuningJob {
  const { train, dev, out, device, threads, checkpointSeconds, resume, finish = false } = options;
  return {
    backbone: dir,
    train,
    dev,
    out,
    settings: inputOf(options),
    ...(options.candidates === undefined
      ? {}
      : { candidates: parseCandidates(options.candidates) }),
    ...(options.from === undefined ? {} : { from: { folder: options.from } }),
    device,
    threads,
    checkpointSeconds,
    resume: resume || finish,
    finish,
  };
}

/** @throws InvalidArgumentError for what is no list of `label=word` */
function labelWords(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => pair.split('='));
  if (pairs.some(([label, word, ...rest]) => !label?.trim() || !word?.trim() || rest.length > 0)) {
    throw new InvalidArgumentError('Give label=word, separated by commas.');
  }
  return Object.fromEntries(pairs.map(([label, word]) => [label!.trim(), word!.trim()]));
}

function describe(
  all: readonly TuningSettings[],
  { name, spec, parameters }: Pick<Backbone, 'name' | 'spec' | 'parameters'>,
): string {
  const { method, length, learningRate, epochs, batchSize, seed } = all[0]!;
  const tuned = {
    prefix: `prefix of ${length}`,
    soft: `soft prompt of ${length}`,
    full: 'all weights',
    head: 'head alone',
  };
  const count = all.length > 1 ? `${all.length} candidates, the first: ` : '';
  return (
    `${count}${tuned[method]} for ${name} (${spec.modelType}, ${millions(parameters)} parameters), ` +
    `learning rate ${learningRate}, ${plural(epochs, 'epoch')}, batches of ${batchSize}, seed ${seed}`
  );
}

/** The command line as it was given, less what a continuation must not repeat. */
function argumentsOf(command: Command): string[] {
  const root = command.parent as (Command & { readonly rawArgs: readonly string[] }) | null;
  return (root?.rawArgs ?? []).filter((arg) => !['--force', '--resume', '--finish'].includes(arg));
}
