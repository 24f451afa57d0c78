/** `polyprompt keys`: who may use a service. */
import type { KeyObject } from '@polyprompt/contract';
import { Command, Option } from 'commander';
import { moment } from '../format.ts';
import { whole } from '../options.ts';
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

const DAY_SECONDS = 24 * 3600;

const COLUMNS: readonly Column<KeyObject>[] = [
  { name: 'id', of: ({ id }) => id },
  { name: 'name', of: ({ name }) => name },
  { name: 'scopes', of: ({ scopes }) => scopes.join(', ') },
  { name: 'created (UTC)', of: ({ created_at }) => moment(created_at) },
  { name: 'expires (UTC)', of: ({ expires_at }) => moment(expires_at) },
  { name: 'revoked (UTC)', of: ({ revoked_at }) => moment(revoked_at) },
];

interface CreateOptions extends RemoteOptions {
  readonly name: string;
  readonly scope: string;
  readonly expiresInDays?: number;
}

export function keysCommand(): Command {
  const create = remoteCommand('create', 'Create a key; its secret is printed this once.', [
    'keys create --name website',
    'keys create --name ci --scope tune --expires-in-days 90',
  ])
    .requiredOption('--name <name>', 'to recognise it by')
    .addOption(
      new Option('--scope <scope>', 'what it may do, each including the ones before it')
        .choices(['infer', 'tune', 'admin'])
        .default('infer'),
    )
    .option('--expires-in-days <n>', 'when it ends (default: never)', whole(1))
    .action((options: CreateOptions) =>
      withService(options, async (service) => {
        const { name, scope, expiresInDays: days } = options;
        const expires = days === undefined ? {} : { expires_in_seconds: days * DAY_SECONDS };
        const key = await service.call('createKey', {
          json: { name, scopes: [scope], ...expires },
        });
        // The secret alone on standard output, for scripts to take.
        if (!options.json) console.error(`${key.id}; the secret is shown this once:`);
        print(key, options, () => key.secret);
      }),
    );
  const list = listCommand('list', 'List keys, without their secrets.', ['keys list']).action(
    (options: ListOptions) =>
      withService(options, (service) =>
        printList(service.list('listKeys', pageSize(options)), options, COLUMNS),
      ),
  );
  const revoke = remoteCommand('revoke', 'Revoke a key.', ['keys revoke key-abc'])
    .argument('<id>')
    .action((id: string, options: RemoteOptions) =>
      withService(options, async (service) => {
        const gone = await service.call('revokeKey', { params: { key_id: id } });
        print(gone, options, () => `${id} revoked`);
      }),
    );
  return new Command('keys')
    .description('Manage the keys of a service.')
    .addCommand(create)
    .addCommand(list)
    .addCommand(revoke);
}
