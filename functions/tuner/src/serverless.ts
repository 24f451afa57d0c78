/** What the small functions beside the tuner have in common. They train nothing, so nothing native is imported. */
import { createRegistry, JobMessage, type Registry } from '@polyprompt/registry';
import { createStorage, type Queue } from '@polyprompt/storage';
import { type Logger, pino } from 'pino';
import { TunerError } from './errors.ts';

export interface ServerlessDeps {
  readonly registry: Registry;
  readonly queue: Pick<Queue<JobMessage>, 'send'>;
  readonly log: Logger;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** @throws TunerError `bad_config` */
export function openServerless(env: Readonly<Record<string, string | undefined>>): ServerlessDeps {
  const setting = (name: string) => {
    const value = env[name];
    if (value) return value;
    throw new TunerError('bad_config', `${name} is not set`);
  };
  const { AWS_REGION: region, POLYPROMPT_ENDPOINT: endpoint } = env;
  const storage = createStorage({
    bucket: setting('POLYPROMPT_BUCKET'),
    ...(region ? { region } : {}),
    ...(endpoint ? { endpoint } : {}),
  });
  const queue = storage.queue(setting('POLYPROMPT_QUEUE'), JobMessage);
  // Frozen between two calls: what would happen in the background may never happen.
  const registry = createRegistry({ storage, queue, readAhead: false });
  return { registry, queue, log: pino({ base: null }, pino.destination(1)), now: Date.now };
}
