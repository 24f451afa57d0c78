/** `polyprompt jobs`: training at a service. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { FineTuningJob, JobCreate } from '@polyprompt/contract';
import { TRAINED_POOLING } from '@polyprompt/prompts';
import { TASK_NAMES } from '@polyprompt/tasks';
import { METHODS, parseCandidateLists } from '@polyprompt/tuning';
import { Command, InvalidArgumentError, Option } from 'commander';
import { CliError } from '../errors.ts';
import { commandLine, count, moment } from '../format.ts';
import { catchInterrupts } from '../interrupts.ts';
import { decimal, type ReadingOptions, whole, withReading } from '../options.ts';
import { showProgress } from '../progress.ts';
import type { Service } from '../remote/client.ts';
import {
  type Column,
  type ListOptions,
  listCommand,
  pageSize,
  print,
  printList,
  type RemoteOptions,
  remoteCommand,
  withService,
} from '../remote/command.ts';
import { facts } from '../table.ts';

interface FollowOptions extends RemoteOptions {
  readonly quiet?: boolean;
}

interface CreateOptions extends FollowOptions, ReadingOptions {
  readonly train: string;
  readonly dev?: string;
  readonly name?: string;
  readonly backbone?: string;
  readonly task: string;
  readonly recipe?: string;
  readonly method?: string;
  readonly length?: number;
  readonly from?: string;
  readonly pooling?: string;
  readonly reparameterise?: number;
  readonly lr?: number;
  readonly candidates?: string;
  readonly dropout?: number;
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly seed?: number;
  readonly patience?: number;
  readonly languages?: readonly string[];
  readonly activate?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly follow?: boolean;
}

const COLUMNS: readonly Column<FineTuningJob>[] = [
  { name: 'id', of: ({ id }) => id },
  { name: 'status', of: ({ status }) => status },
  { name: 'version', of: ({ fine_tuned_model }) => fine_tuned_model ?? '-' },
  { name: 'created (UTC)', of: ({ created_at }) => moment(created_at) },
  { name: 'finished (UTC)', of: ({ finished_at }) => moment(finished_at) },
];

export function jobsCommand(): Command {
  const list = listCommand('list', 'List jobs, newest first.', ['jobs list --limit 5']).action(
    (options: ListOptions) =>
      withService(options, async (service) => {
        const { fineTuning } = await service.openai;
        const jobs = fineTuning.jobs.list({ limit: pageSize(options) });
        await printList(
          jobs as AsyncIterable<unknown> as AsyncIterable<FineTuningJob>,
          options,
          COLUMNS,
        );
      }),
  );
  const show = remoteCommand('show', 'Show a job.', ['jobs show ftjob-abc'])
    .argument('<id>')
    .action((id: string, options: RemoteOptions) =>
      withService(options, async (service) => {
        const { retrieveJob } = await import('../remote/follow.ts');
        const job = await retrieveJob(service, id);
        print(job, options, () => summary(job));
      }),
    );
  const follow = remoteCommand(
    'follow',
    'Show the progress of a job until it ends; exit code 1 if it does not succeed.',
    ['jobs follow ftjob-abc', 'jobs follow ftjob-abc --json > events.jsonl'],
  )
    .argument('<id>')
    .option('--quiet', 'no progress')
    .action((id: string, options: FollowOptions) =>
      withService(options, (service) => followJob(service, id, options)),
    );
  return new Command('jobs')
    .description('Train prompts at a service.')
    .addCommand(createCommand())
    .addCommand(list)
    .addCommand(show)
    .addCommand(follow)
    .addCommand(changeCommand('cancel', 'Cancel a job; the best version so far is kept.'))
    .addCommand(changeCommand('pause', 'Pause a job at its next checkpoint.'))
    .addCommand(changeCommand('resume', 'Let a paused job continue.'));
}

function changeCommand(verb: 'cancel' | 'pause' | 'resume', description: string): Command {
  return remoteCommand(verb, description, [`jobs ${verb} ftjob-abc`])
    .argument('<id>')
    .action((id: string, options: RemoteOptions) =>
      withService(options, async (service) => {
        const { fineTuning } = await service.openai;
        const job = (await fineTuning.jobs[verb](id)) as FineTuningJob;
        print(job, options, () => `${job.id}  ${job.status}`);
      }),
    );
}

function createCommand(): Command {
  // A whole model is nothing that a service could swap.
  const methods = METHODS.filter((method) => method !== 'full');
  const command = remoteCommand('create', 'Train a version of a prompt.', [
    'jobs create --train train.jsonl --dev dev.jsonl --name topics --follow',
    'jobs create --train train.jsonl --name topics --candidates "lr=2e-3,5e-3;seed=1,2"',
    'jobs create --train file-abc --name topics --epochs 10 --activate production',
  ])
    .requiredOption('--train <file>', 'labelled examples: a local file, or the id of one there')
    .option('--dev <file>', 'examples to choose the best version by (default: a tenth of --train)')
    .option('--name <name>', 'name of the prompt (default: made up from the id of the job)')
    .option('--backbone <id>', 'model to train on (default: the one that the service has)')
    .addOption(
      new Option('--task <task>', 'what to learn')
        .choices(TASK_NAMES)
        .default('text-classification'),
    )
    .option('--recipe <name>', 'where the other settings come from')
    .addOption(new Option('--method <method>', 'what is tuned beside the head').choices(methods))
    .option('--length <n>', 'length of the prompt in virtual tokens', whole(1))
    .option('--from <version>', 'continue from this version: name, name@alias or name@7')
    .addOption(
      new Option('--pooling <rule>', 'which states the head reads').choices(TRAINED_POOLING),
    )
    .option('--reparameterise <width>', 'compute the prompt by a network while training', whole(1))
    .option('--lr <rate>', 'learning rate', decimal)
    .option('--dropout <share>', 'dropout on prompt and head', decimal)
    .option('--epochs <n>', 'passes over the training data, at most', whole(1))
    .option('--batch-size <n>', 'examples per step', whole(1))
    .option('--seed <n>', 'the same seed and data give the same prompt', whole(0))
    .option('--patience <n>', 'stop after so many evaluations without gain; 0: never', whole(0))
    .option('--languages <tag...>', 'train on examples of these languages alone')
    .option(
      '--candidates <lists>',
      'train every combination side by side and keep the best: "lr=1e-3,5e-3;seed=1,2"',
    )
    .option('--activate <alias>', 'alias to move to the new version')
    .option('--metadata <key=value>', 'a tag of yours; may be repeated', tag)
    .option('--follow', 'show the progress until the job ends')
    .option('--quiet', 'no progress');
  return withReading(command).action((options: CreateOptions) =>
    withService(options, (service) => createJob(service, options)),
  );
}

async function createJob(service: Service, options: CreateOptions): Promise<void> {
  const body = await jobBody(service, options);
  const { fineTuning } = await service.openai;
  const created = await fineTuning.jobs.create(body as never, {
    // A repeated attempt of this command gives the same job, a repeated command another one.
    headers: { 'idempotency-key': randomUUID() },
  });
  const job = created as FineTuningJob;
  if (!options.follow) {
    print(job, options, () => job.id);
    return;
  }
  if (!options.quiet && !options.json) console.error(job.id);
  await followJob(service, job.id, options);
}

async function jobBody(service: Service, options: CreateOptions): Promise<JobCreate> {
  const { task, method, length, from, pooling, reparameterise } = options;
  const { recipe, dropout, languages, activate } = options;
  return {
    model: options.backbone ?? (await service.call('ready')).backbone.id,
    training_file: await fileId(service, options.train, options),
    validation_file: options.dev && (await fileId(service, options.dev, options)),
    suffix: options.name,
    seed: options.seed,
    metadata: options.metadata,
    method: {
      type: 'supervised',
      supervised: {
        hyperparameters: { n_epochs: options.epochs, batch_size: options.batchSize },
      },
    },
    prompt: {
      ...{ task, method, length, from, pooling, reparameterise },
      ...{ recipe, dropout, languages, activate },
      learning_rate: options.lr,
      early_stopping: options.patience,
      offset_unit: options.offsetUnit,
      invalid_tags: options.invalidTags,
      candidates: options.candidates && candidateLists(options.candidates),
    } as JobCreate['prompt'],
  };
}

/** The lists in the words of the wire. @throws TuningError `bad_setting` for what is no lists */
function candidateLists(text: string): Record<string, readonly (string | number)[] | undefined> {
  const wireName = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const lists = Object.entries(parseCandidateLists(text));
  return Object.fromEntries(lists.map(([key, values]) => [wireName(key), values]));
}

/** The id of a file at the service, which a local one is uploaded for. */
async function fileId(service: Service, file: string, { quiet }: FollowOptions): Promise<string> {
  const { isFileId, uploadFile } = await import('../remote/upload.ts');
  if (isFileId(file) && !existsSync(file)) return file;
  const { id } = await uploadFile(service, file);
  if (!quiet) console.error(`${file} uploaded as ${id}`);
  return id;
}

/** @throws CliError `job_failed`, `interrupted` */
async function followJob(service: Service, id: string, options: FollowOptions): Promise<void> {
  const { json = false, quiet = false } = options;
  const { drawEvents, jobEvents, retrieveJob } = await import('../remote/follow.ts');
  const progress = showProgress(process.stderr, { quiet: quiet || json });
  const interrupts = catchInterrupts(() => progress.stop());
  const draw = drawEvents(progress, process.stderr.isTTY);
  try {
    for await (const event of jobEvents(service, id, interrupts.signal)) {
      if (json) console.log(JSON.stringify(event));
      else draw(event);
    }
  } finally {
    progress.stop();
    interrupts.release();
  }
  if (interrupts.signal.aborted) {
    const again = commandLine(['jobs', 'follow', id]);
    throw new CliError('interrupted', `${id} goes on at the service; follow it with\n${again}`);
  }
  const job = await retrieveJob(service, id);
  console.log(json ? JSON.stringify(job) : summary(job));
  if (job.status === 'succeeded') return;
  const why = job.error ? `: ${job.error.message}` : '';
  throw new CliError(
    'job_failed',
    `${id} has ${job.status === 'failed' ? 'failed' : `been ${job.status}`}${why}`,
  );
}

function summary(job: FineTuningJob): string {
  const { prompt } = job;
  return facts([
    ['id', job.id],
    ['status', job.status],
    ...(job.error ? [['error', job.error.message] as const] : []),
    ['version', job.fine_tuned_model ?? '-'],
    ['backbone', job.model],
    ['task', prompt?.task ?? '-'],
    ['train', job.training_file],
    ['dev', job.validation_file ?? '-'],
    ['tokens', job.trained_tokens === null ? '-' : count(job.trained_tokens)],
    ['seed', String(job.seed)],
    ['created', `${moment(job.created_at)} UTC`],
    ['finished', job.finished_at === null ? '-' : `${moment(job.finished_at)} UTC`],
    ...Object.entries(job.metadata ?? {}).map(([key, value]) => [`  ${key}`, value] as const),
  ]);
}

/** `key=value`, gathered over all the times that the option is given. */
function tag(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (key === undefined || value === undefined) {
    throw new InvalidArgumentError('Give it as key=value.');
  }
  return { ...before, [key]: value };
}
