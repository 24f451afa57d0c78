/** `polyprompt prompts`: the prompts of a service, their versions and aliases. */
import type { HistoryEntry, PromptObject, PromptVersion } from '@polyprompt/contract';
import { Command, InvalidArgumentError, Option } from 'commander';
import { CliError } from '../errors.ts';
import { bytes, count, moment, plural } from '../format.ts';
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
import type { PromptPlace } from '../remote/prompt-place.ts';
import { facts } from '../table.ts';

type Target = PromptObject['aliases'][string];

const PROMPTS: readonly Column<PromptObject>[] = [
  { name: 'name', of: ({ id }) => id },
  { name: 'newest', of: ({ latest_version }) => latest_version },
  { name: 'aliases', of: ({ aliases }) => aliasesText(aliases) },
  { name: 'changed (UTC)', of: ({ updated_at }) => moment(updated_at) },
];

const VERSIONS: readonly Column<PromptVersion>[] = [
  { name: 'version', of: ({ version }) => version },
  { name: 'aliases', of: ({ aliases }) => aliases.join(', ') || '-' },
  { name: 'task', of: ({ task }) => task },
  { name: 'labels', of: ({ labels }) => labels.length },
  { name: 'method', of: ({ method }) => method },
  { name: 'bytes', of: ({ bytes }) => bytes },
  { name: 'job', of: ({ job }) => job ?? '-' },
  { name: 'created (UTC)', of: ({ created_at }) => moment(created_at) },
];

const CHANGES: readonly Column<HistoryEntry>[] = [
  { name: 'when (UTC)', of: ({ created_at }) => moment(created_at) },
  { name: 'who', of: ({ actor }) => actor },
  { name: 'what', of: ({ action }) => action },
  { name: 'version', of: ({ version }) => version ?? '-' },
  { name: 'alias', of: ({ alias }) => alias ?? '-' },
  { name: 'from', of: ({ from }) => (from ? targetText(from) : '-') },
  { name: 'to', of: ({ to }) => (to ? targetText(to) : '-') },
];

export function promptsCommand(): Command {
  const list = listCommand('list', 'List prompts with their aliases.', ['prompts list']).action(
    (options: ListOptions) =>
      withService(options, (service) =>
        printList(service.list('listPrompts', pageSize(options)), options, PROMPTS),
      ),
  );
  const versions = listCommand('versions', 'List versions, newest first.', [
    'prompts versions topics',
  ])
    .argument('<name>')
    .action((name: string, options: ListOptions) =>
      withService(options, (service) =>
        printList(
          service.list('listVersions', pageSize(options), { params: { name } }),
          options,
          VERSIONS,
        ),
      ),
    );
  const history = listCommand('history', 'List who changed what, newest first.', [
    'prompts history topics',
  ])
    .argument('<name>')
    .action((name: string, options: ListOptions) =>
      withService(options, (service) =>
        printList(
          service.list('listHistory', pageSize(options), { params: { name } }),
          options,
          CHANGES,
        ),
      ),
    );
  const rollback = remoteCommand('rollback', 'Move an alias back to where it pointed before.', [
    'prompts rollback topics',
    'prompts rollback topics --alias staging',
  ])
    .argument('<name>')
    .option('--alias <alias>', 'which one', 'production')
    .action((name: string, options: RemoteOptions & { readonly alias: string }) =>
      withService(options, async (service) => {
        const json = { alias: options.alias };
        const alias = await service.call('rollbackPrompt', { params: { name }, json });
        print(alias, options, () => aliasText(alias));
      }),
    );
  return new Command('prompts')
    .description('Manage the prompts of a service: versions, aliases, rollback, archives.')
    .addCommand(list)
    .addCommand(showCommand())
    .addCommand(versions)
    .addCommand(aliasCommand())
    .addCommand(rollback)
    .addCommand(history)
    .addCommand(deleteCommand())
    .addCommand(exportCommand())
    .addCommand(importCommand());
}

function showCommand(): Command {
  return remoteCommand('show', 'Show a prompt, or one of its versions.', [
    'prompts show topics',
    'prompts show topics@production',
    'prompts show topics@3 --card',
  ])
    .argument('<prompt>', 'name, name@version or name@alias')
    .option('--card', 'the card of the version as JSON')
    .action((text: string, options: RemoteOptions & { readonly card?: boolean }) =>
      withService(options, async (service) => {
        const { placeOf, versionOf } = await import('../remote/prompt-place.ts');
        const place = placeOf(text);
        if (!options.card && place.target === undefined) {
          const prompt = await service.call('retrievePrompt', { params: { name: place.name } });
          print(prompt, options, () => promptText(prompt));
          return;
        }
        const params = { name: place.name, version: await versionOf(service, place) };
        if (options.card) {
          const card = await service.call('retrieveCard', { params });
          console.log(JSON.stringify(card, null, 2));
          return;
        }
        const version = await service.call('retrieveVersion', { params });
        print(version, options, () => versionText(version));
      }),
    );
}

function aliasCommand(): Command {
  return remoteCommand('alias', 'Point an alias to a version, split its traffic, or delete it.', [
    'prompts alias topics production 4',
    'prompts alias topics production 3=90 4=10',
    'prompts alias topics staging --delete',
  ])
    .argument('<name>')
    .argument('<alias>')
    .argument('[target...]', 'a version, or versions with their percent of the traffic', share)
    .option('--delete', 'delete the alias')
    .action(
      (
        name: string,
        alias: string,
        target: readonly Share[],
        options: RemoteOptions & { readonly delete?: boolean },
      ) => {
        const params = { name, alias };
        if (options.delete ? target.length > 0 : target.length === 0) {
          throw new CliError('usage', 'give either a version or --delete');
        }
        return withService(options, async (service) => {
          if (options.delete) {
            const gone = await service.call('deleteAlias', { params });
            print(gone, options, () => `${name}@${alias} deleted`);
            return;
          }
          const moved = await service.call('setAlias', { params, json: targetOf(target) });
          print(moved, options, () => aliasText(moved));
        });
      },
    );
}

interface Share {
  readonly version: number;
  readonly weight?: number;
}

/** `4` or `4=10`, gathered over all the arguments. */
function share(text: string, before: readonly Share[] = []): readonly Share[] {
  const [, version, weight] = /^(\d{1,9})(?:=(\d{1,3}))?$/.exec(text) ?? [];
  if (version === undefined) {
    throw new InvalidArgumentError('Give a version, such as 4, or its share, such as 4=10.');
  }
  const one = { version: Number(version), ...(weight && { weight: Number(weight) }) };
  return [...before, one];
}

function targetOf(shares: readonly Share[]): { version: number } | { split: readonly Share[] } {
  const [first] = shares;
  if (shares.length === 1 && first!.weight === undefined) return { version: first!.version };
  if (shares.length > 1 && shares.every(({ weight }) => weight !== undefined)) {
    return { split: shares };
  }
  throw new CliError('usage', 'give one version, or several each with its percent: 3=90 4=10');
}

function deleteCommand(): Command {
  return remoteCommand('delete', 'Delete a prompt that has no alias, or a version of it.', [
    'prompts delete topics@2',
    'prompts delete topics',
  ])
    .argument('<prompt>', 'name@version, or the name for all of it')
    .action((text: string, options: RemoteOptions) =>
      withService(options, async (service) => {
        const { placeOf } = await import('../remote/prompt-place.ts');
        const place = placeOf(text);
        const gone = await (place.target === undefined
          ? service.call('deletePrompt', { params: { name: place.name } })
          : service.call('deleteVersion', {
              params: { name: place.name, version: numberOf(place, text) },
            }));
        print(gone, options, () => `${text} deleted`);
      }),
    );
}

/** What an alias points to may be another version by now; so the number, to delete it. */
function numberOf({ name, target }: PromptPlace, text: string): number {
  if (target && 'version' in target) return target.version;
  throw new CliError(
    'usage',
    `${text} is an alias; give the number of the version to delete, or: ${`polyprompt prompts alias ${name} ALIAS --delete`}`,
  );
}

function exportCommand(): Command {
  return remoteCommand('export', 'Write a version as one archive that "import" reads.', [
    'prompts export topics@3 --out topics-3.tar',
    'prompts export topics > topics.tar',
    'prompts export topics --format peft | tar -x',
  ])
    .argument('<prompt>', 'name@version or name@alias; without either, production')
    .option('--out <file>', 'where to write (default: standard output)')
    .addOption(
      new Option('--format <format>', 'its own, or an adapter folder of Hugging Face PEFT')
        .choices(['polyprompt', 'peft'])
        .default('polyprompt'),
    )
    .option('--base-model <name>', 'how Python finds the model of an adapter')
    .option('--force', 'replace --out')
    .action(
      (
        text: string,
        options: RemoteOptions & {
          readonly out?: string;
          readonly format: string;
          readonly baseModel?: string;
          readonly force?: boolean;
        },
      ) =>
        withService(options, async (service) => {
          const { placeOf, versionOf } = await import('../remote/prompt-place.ts');
          const { saveTo } = await import('../remote/save.ts');
          const place = placeOf(text);
          const version = await versionOf(service, place);
          const params = { name: place.name, version };
          const query = { format: options.format, base_model: options.baseModel };
          const { body } = await service.request('exportVersion', { params, query });
          await saveTo(options.out, body!, options);
          if (options.out === undefined || options.out === '-') return;
          print({ prompt: place.name, version, file: options.out }, options, () => options.out!);
        }),
    );
}

function importCommand(): Command {
  return remoteCommand('import', 'Import an exported version, or a PEFT adapter, as a version.', [
    'prompts import topics-3.tar',
    'prompts import topics-3.tar --name news --activate staging',
    'prompts import adapter.tar --labels neg,pos    # after tar -cf adapter.tar adapter',
  ])
    .argument('<file>')
    .option('--name <name>', 'name of the prompt (default: that in the archive)')
    .option('--activate <alias>', 'alias to move to the imported version')
    .option('--task <task>', 'of an adapter that does not say it')
    .option('--labels <a,b,c>', 'of an adapter, in the order of their indices')
    .action(
      (
        file: string,
        options: RemoteOptions & {
          readonly name?: string;
          readonly activate?: string;
          readonly task?: string;
          readonly labels?: string;
        },
      ) =>
        withService(options, async (service) => {
          const { diskFile } = await import('../remote/upload.ts');
          const { name, activate, task, labels } = options;
          const version = await service.call('importPrompt', {
            query: { name, activate, task, labels },
            body: await diskFile(file),
            headers: { 'content-type': 'application/x-tar' },
          });
          print(version, options, () => `${version.prompt}@${version.version}`);
        }),
    );
}

function promptText(prompt: PromptObject): string {
  return facts([
    ['name', prompt.id],
    ['newest', String(prompt.latest_version)],
    ['created', `${moment(prompt.created_at)} UTC`],
    ['changed', `${moment(prompt.updated_at)} UTC`],
    ['aliases', aliasesText(prompt.aliases)],
  ]);
}

function versionText(version: PromptVersion): string {
  const { labels, length, parameters } = version;
  return facts([
    ['id', version.id],
    ['aliases', version.aliases.join(', ') || '-'],
    ['task', version.task],
    ['labels', `${labels.length}: ${labels.join(', ')}`],
    [
      'method',
      length > 0 ? `${version.method}, ${plural(length, 'virtual token')}` : version.method,
    ],
    ['values', `${count(parameters)} (${bytes(version.bytes)})`],
    ['backbone', version.backbone],
    ['job', version.job ?? 'imported'],
    ['created', `${moment(version.created_at)} UTC`],
    ['hash', version.hash],
  ]);
}

function aliasText({ prompt, alias, target }: { prompt: string; alias: string; target: Target }) {
  return `${prompt}@${alias}  ${targetText(target)}`;
}

function aliasesText(aliases: PromptObject['aliases']): string {
  const pairs = Object.entries(aliases).map(([alias, target]) => `${alias} ${targetText(target)}`);
  return pairs.join(', ') || '-';
}

function targetText(target: Target): string {
  if ('version' in target) return String(target.version);
  return target.split.map(({ version, weight }) => `${version}=${weight}`).join(' ');
}
