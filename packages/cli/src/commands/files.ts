/** `polyprompt files`: the data files of a service. */
import type { FileObject, ValidationReport } from '@polyprompt/contract';
import { type DatasetIssue, showIssue, TASK_NAMES } from '@polyprompt/tasks';
import { Command, Option } from 'commander';
import { CliError } from '../errors.ts';
import { bytes, count, moment, plural } from '../format.ts';
import { type ReadingOptions, withReading } from '../options.ts';
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
import { facts, table } from '../table.ts';

const SHOWN_ISSUES = 20;

const COLUMNS: readonly Column<FileObject>[] = [
  { name: 'id', of: ({ id }) => id },
  { name: 'name', of: ({ filename }) => filename },
  { name: 'bytes', of: ({ bytes }) => bytes },
  { name: 'status', of: ({ status }) => status },
  { name: 'created (UTC)', of: ({ created_at }) => moment(created_at) },
];

export function filesCommand(): Command {
  const upload = remoteCommand('upload', 'Upload data files, as they are.', [
    'files upload train.jsonl dev.jsonl',
  ])
    .argument('<file...>', 'JSONL, CSV or TSV')
    .action((paths: string[], options: RemoteOptions) =>
      withService(options, async (service) => {
        const { uploadFile } = await import('../remote/upload.ts');
        const files: FileObject[] = [];
        for (const path of paths) files.push(await uploadFile(service, path));
        print(files, options, () =>
          files.map(({ id, filename }) => `${id}  ${filename}`).join('\n'),
        );
      }),
    );
  const list = listCommand('list', 'List files, newest first.', [
    'files list',
    'files list --limit 200 --json',
  ]).action((options: ListOptions) =>
    withService(options, async (service) => {
      const { files } = await service.openai;
      const items = files.list({ limit: pageSize(options) });
      await printList(items as AsyncIterable<FileObject>, options, COLUMNS);
    }),
  );
  const show = remoteCommand('show', 'Show a file object.', ['files show file-abc'])
    .argument('<id>')
    .action((id: string, options: RemoteOptions) =>
      withService(options, async (service) => {
        const { files } = await service.openai;
        const file = (await files.retrieve(id)) as FileObject;
        print(file, options, () => summary(file));
      }),
    );
  const remove = remoteCommand('delete', 'Delete files.', ['files delete file-abc file-def'])
    .argument('<id...>')
    .action((ids: string[], options: RemoteOptions) =>
      withService(options, async (service) => {
        const { files } = await service.openai;
        const gone: unknown[] = [];
        for (const id of ids) gone.push(await files.delete(id));
        print(gone, options, () => ids.map((id) => `${id} deleted`).join('\n'));
      }),
    );
  return new Command('files')
    .description('Upload and look at data files of a service.')
    .addCommand(upload)
    .addCommand(list)
    .addCommand(show)
    .addCommand(validateCommand())
    .addCommand(downloadCommand())
    .addCommand(remove);
}

interface ValidateOptions extends RemoteOptions, ReadingOptions {
  readonly task: string;
}

function validateCommand(): Command {
  const command = remoteCommand(
    'validate',
    'Check data for a task without training; exit code 1 if it has errors. A local file is not kept.',
    ['files validate train.jsonl', 'files validate file-abc --json'],
  )
    .argument('<file or id>')
    .addOption(
      new Option('--task <task>', 'what it is for')
        .choices(TASK_NAMES)
        .default('text-classification'),
    );
  return withReading(command).action((file: string, options: ValidateOptions) =>
    withService(options, async (service) => {
      const report = await validate(service, file, options);
      print(report, options, () => reportText(report));
      if (report.valid) return;
      const lines = report.issues
        .filter(({ severity }) => severity === 'error')
        .slice(0, SHOWN_ISSUES - 1)
        .map((issue) => showIssue(issue as DatasetIssue, file));
      const total = `${file}: ${plural(report.errors, 'error')} in all`;
      throw new CliError('invalid_data', [...lines, total].join('\n'));
    }),
  );
}

async function validate(
  service: Service,
  file: string,
  { task, offsetUnit, invalidTags }: ValidateOptions,
): Promise<ValidationReport> {
  const { diskFile, isFileId } = await import('../remote/upload.ts');
  const fields = {
    task,
    ...(offsetUnit && { offset_unit: offsetUnit }),
    ...(invalidTags && { invalid_tags: invalidTags }),
  };
  if (isFileId(file)) return service.call('validateFile', { json: { file_id: file, ...fields } });
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.set(name, value);
  body.set('file', await diskFile(file));
  return service.call('validateFile', { body });
}

function reportText(report: ValidationReport): string {
  const about = facts([
    ['valid', report.valid ? 'yes' : 'no'],
    ['task', report.task],
    ['examples', count(report.examples)],
    ['errors', count(report.errors)],
    ['warnings', count(report.warnings)],
    ['languages', counted(report.languages)],
  ]);
  const rows = Object.entries(report.labels).map(([label, number]) => [label, count(number)]);
  return rows.length === 0 ? about : `${about}\n\n${table(['label', 'examples'], rows, 'lr')}`;
}

function counted(numbers: Readonly<Record<string, number>>): string {
  const pairs = Object.entries(numbers).map(([name, number]) => `${name} ${count(number)}`);
  return pairs.join(', ') || '-';
}

function downloadCommand(): Command {
  return remoteCommand('download', 'Write the bytes of a file to standard output or a file.', [
    'files download file-abc > train.jsonl',
    'files download file-abc --out train.jsonl',
  ])
    .argument('<id>')
    .option('--out <file>', 'where to write; an existing file is not replaced')
    .action((id: string, options: RemoteOptions & { readonly out?: string }) =>
      withService(options, async (service) => {
        const { files } = await service.openai;
        const { body } = await files.content(id);
        const { saveTo } = await import('../remote/save.ts');
        await saveTo(options.out, body!);
      }),
    );
}

function summary(file: FileObject): string {
  return facts([
    ['id', file.id],
    ['name', file.filename],
    ['bytes', `${count(file.bytes)} (${bytes(file.bytes)})`],
    ['status', [file.status, file.status_details].filter(Boolean).join(': ')],
    ['created', `${moment(file.created_at)} UTC`],
    ['expires', file.expires_at === undefined ? 'never' : `${moment(file.expires_at)} UTC`],
  ]);
}
