/** `polyprompt reproduce`: a paper's comparison of fine-tuning and prompt tuning, run again. */
import { readFileSync } from 'node:fs';
import { PAPERS, type PaperName, type ReproduceOptions, reproduce } from '@polyprompt/reproduce';
import { Argument, Command, Option } from 'commander';
import { z } from 'zod';
import { CliError } from '../errors.ts';
import { fixed } from '../format.ts';
import { type DeviceOptions, shippedBackbone, whole, withDevice } from '../options.ts';
import { showProgress } from '../progress.ts';
import { table } from '../table.ts';

interface Options extends DeviceOptions {
  readonly backbone?: string;
  readonly data: string;
  readonly out: string;
  readonly seeds: number;
  readonly recipes: 'paper' | 'default';
  readonly tasks?: readonly string[];
  readonly epochs?: number;
  readonly examples?: number;
  readonly devExamples?: number;
  readonly testExamples?: number;
  readonly resources?: string;
  readonly quick?: boolean;
  readonly quiet?: boolean;
}

const Resources = z.record(z.string(), z.number().min(0).max(100));

export function reproduceCommand(): Command {
  const papers = Object.keys(PAPERS);
  const command = new Command('reproduce')
    .description('Fine-tuning against prompt tuning, trained on English, tested in every language.')
    .addArgument(new Argument('<paper>', 'whose comparison').choices(papers))
    .option('--backbone <dir>', 'model folder (default: the one that ships with polyprompt)')
    .requiredOption('--data <dir>', 'folder per task, or a reproduce.json that names the files')
    .requiredOption('--out <dir>', 'for the report; runs that are there already are kept')
    .option('--seeds <n>', 'runs of each method', whole(1), 3)
    .addOption(
      new Option('--recipes <kind>', "the papers' settings, or the defaults of this project")
        .choices(['paper', 'default'])
        .default('paper'),
    )
    .option('--tasks <id...>', 'only these (default: all that have data)')
    .option('--epochs <n>', 'passes over the training data, at most', whole(1))
    .option('--examples <n>', 'train on so many examples of a task', whole(1))
    .option('--dev-examples <n>', 'select on so many', whole(1))
    .option('--test-examples <n>', 'at most so many per language (default: all)', whole(1))
    .option('--resources <file>', 'JSON: percent of the pretraining text by language')
    .option('--quick', 'a hundred examples, two epochs: to see it work, not to learn from it')
    .option('--quiet', 'no progress');
  return withDevice(command)
    .addHelpText(
      'after',
      `
A task's folder is named xnli, pawsx, udpos, xquad, tydiqa or ner and holds en.train.*, en.dev.* and
<language>.test.*. Tasks without data are left out and named in the report.

Examples:
  polyprompt reproduce tu2022 --backbone ~/models/xlm-roberta-large --data xtreme --out tu2022
  polyprompt reproduce park2023 --backbone ~/models/xglm-564M --data xtreme --out park2023 --seeds 5
  polyprompt reproduce tu2022 --data xtreme --out look --quick --seeds 1`,
    )
    .action((paper: PaperName, options: Options) => run(paper, options));
}

async function run(paper: PaperName, options: Options): Promise<void> {
  const backbone = options.backbone ?? shippedBackbone();
  if (!backbone) throw new CliError('backbone_needed', 'give a model folder with --backbone DIR');
  const progress = showProgress(process.stderr, options);
  const { report, html, json } = await reproduce(
    {
      paper,
      backbone,
      data: options.data,
      out: options.out,
      seeds: options.seeds,
      quick: options.quick ?? false,
      recipes: options.recipes,
      ...(options.tasks ? { tasks: options.tasks } : {}),
      limits: limitsOf(options),
      testExamples: options.testExamples ?? null,
      ...(options.resources ? { resources: readResources(options.resources) } : {}),
      device: options.device,
      ...(options.threads ? { threads: options.threads } : {}),
      command: `polyprompt ${process.argv.slice(2).join(' ')}`,
    },
    {
      onRun: ({ name, index, of }) => {
        if (!options.quiet) console.error(`run ${index + 1} of ${of}: ${name}`);
      },
      onEvent: progress.onEvent,
    },
  ).finally(() => progress.stop());
  const rows = report.results.map(({ title, mean, others, gap }) => [
    title,
    fixed(mean.FT.mean),
    fixed(mean.PT.mean),
    others ? fixed(others.difference.mean) : '-',
    gap ? `${fixed(gap.FT.mean)} / ${fixed(gap.PT.mean)}` : '-',
  ]);
  console.log(table(['task', 'FT', 'PT', 'PT - FT, not English', 'gap FT / PT'], rows, 'lrrrr'));
  for (const { claim, finding, evidence } of report.verdicts) {
    console.log(`${finding}: ${claim} (${evidence})`);
  }
  console.log(`\n${html}\n${json}`);
}

function limitsOf({ epochs, examples, devExamples }: Options): ReproduceOptions['limits'] {
  return {
    ...(epochs === undefined ? {} : { epochs }),
    ...(examples === undefined ? {} : { examples }),
    ...(devExamples === undefined ? {} : { devExamples }),
  };
}

/** @throws CliError `bad_input` */
function readResources(file: string): Record<string, number> {
  try {
    return Resources.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    throw new CliError(
      'bad_input',
      `${file} does not hold percents by language, such as {"de": 5.4, "sw": 0.06}`,
      { cause },
    );
  }
}
