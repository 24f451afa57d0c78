/** What all commands share that ask a service: its address, the key, and how results are printed. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { CliError } from '../errors.ts';
import { whole } from '../options.ts';
import { table } from '../table.ts';
import type { Service } from './client.ts';

export const DEFAULT_URL = 'http://localhost:8787';

export interface RemoteOptions {
  readonly url: string;
  readonly key?: string;
  readonly json?: boolean;
}

export interface ListOptions extends RemoteOptions {
  readonly limit: number;
}

/** A command with the options about the service. @param examples command lines without `polyprompt` */
export function remoteCommand(
  name: string,
  description: string,
  examples: readonly string[],
): Command {
  return new Command(name)
    .description(description)
    .addOption(
      new Option('--url <url>', 'the service')
        .env('POLYPROMPT_URL')
        .default(DEFAULT_URL)
        .argParser(serviceUrl),
    )
    .addOption(new Option('--key <secret>', 'a key of the service').env('POLYPROMPT_KEY'))
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      `\nExamples:\n${examples.map((line) => `  polyprompt ${line}`).join('\n')}`,
    );
}

/** The same for a command that lists things. */
export function listCommand(
  name: string,
  description: string,
  examples: readonly string[],
): Command {
  return remoteCommand(name, description, examples).option(
    '--limit <n>',
    'list at most so many',
    whole(1),
    20,
  );
}

function serviceUrl(text: string): string {
  const { protocol } = URL.parse(text) ?? {};
  if (protocol === 'http:' || protocol === 'https:') return text.replace(/\/+$/, '');
  throw new InvalidArgumentError(`Give an http or https URL, such as ${DEFAULT_URL}.`);
}

/**
 * Lets `work` ask the service of the options.
 * @throws CliError `usage` without a key; RemoteError
 */
export async function withService(
  { url, key }: RemoteOptions,
  work: (service: Service) => Promise<void>,
): Promise<void> {
  if (!key) throw new CliError('usage', 'give a key of the service with --key or POLYPROMPT_KEY');
  // Here, so that the commands that ask nobody need not wait for it.
  const { Service, translated } = await import('./client.ts');
  try {
    await work(new Service({ url, key }));
  } catch (error) {
    throw await translated(error, url);
  }
}

/** The result of a command: as JSON if asked for, else as text. */
export function print(value: unknown, { json }: RemoteOptions, asText: () => string): void {
  console.log(json ? JSON.stringify(value, null, 2) : asText());
}

export interface Column<T> {
  readonly name: string;
  readonly of: (item: T) => string | number;
}

/** The first items of a list, as JSON or as a table; standard error says if there are more. */
export async function printList<T>(
  items: AsyncIterable<T>,
  options: ListOptions,
  columns: readonly Column<T>[],
): Promise<void> {
  const shown: T[] = [];
  let more = false;
  for await (const item of items) {
    more = shown.length === options.limit;
    if (more) break;
    shown.push(item);
  }
  const head = columns.map(({ name }) => name);
  const rows = shown.map((item) => columns.map(({ of }) => String(of(item))));
  const isNumber = columns.map(({ of }) => shown.some((item) => typeof of(item) === 'number'));
  const align = isNumber.map((yes) => (yes ? 'r' : 'l')).join('');
  print(shown, options, () => table(head, rows, align));
  if (more) console.error(`there are more; --limit ${10 * options.limit} shows them`);
}

/** Largest page that every list of the service gives. */
const LARGEST_PAGE = 100;

/** Page size with which one request tells whether there are more than are shown. */
export function pageSize({ limit }: ListOptions): number {
  return Math.min(limit + 1, LARGEST_PAGE);
}
