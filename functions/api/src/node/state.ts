/** The object store, the queue and the registry over them: embedded, or wherever the settings say. */
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { createRegistry, JobMessage, type Registry } from '@polyprompt/registry';
import { createStorage } from '@polyprompt/storage';
import type { Config } from '../config.ts';
import { startEmbeddedCloud } from './embedded-cloud.ts';

export interface State {
  readonly registry: Registry;
  /** What another process needs to reach the same state, as environment variables. */
  readonly environment: Readonly<Record<string, string>>;
  /** Writes what is buffered, then closes the connections and the embedded store. */
  close(): Promise<void>;
}

const BUCKET = 'polyprompt';

/**
 * Opens the state, and makes bucket and queue where they are missing.
 * @param onLost called if the embedded store dies
 * @throws StartError; StorageError when the store cannot be reached
 */
export async function openState(config: Config, onLost: (error: Error) => void): Promise<State> {
  const { endpoint, bucket = BUCKET, region, queue } = config;
  const embedded = endpoint === undefined && config.bucket === undefined;
  const home = resolve(config.home);
  if (embedded) mkdirSync(home, { recursive: true, mode: 0o700 });
  const cloud = embedded ? await startEmbeddedCloud(home, onLost) : undefined;
  const address = cloud?.endpoint ?? endpoint;
  try {
    const storage = createStorage({
      bucket,
      region,
      ...(address !== undefined && { endpoint: address }),
      ...(cloud && { credentials: cloud.credentials }),
    });
    await storage.ensureBucket();
    const queueUrl = /^https?:/.test(queue) ? queue : (await storage.ensureQueue(queue)).url;
    const registry = createRegistry({
      storage,
      queue: storage.queue(queueUrl, JobMessage),
      tenantJobs: config.tenantJobs,
      usageFlushMs: config.usageSeconds * 1000,
    });
    return {
      registry,
      environment: {
        POLYPROMPT_BUCKET: bucket,
        POLYPROMPT_QUEUE: queueUrl,
        AWS_REGION: region,
        ...(address !== undefined && { POLYPROMPT_ENDPOINT: address }),
        ...(cloud && {
          AWS_ACCESS_KEY_ID: cloud.credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: cloud.credentials.secretAccessKey,
        }),
      },
      async close() {
        await registry.close();
        storage.close();
        await cloud?.close();
      },
    };
  } catch (error) {
    await cloud?.close();
    throw error;
  }
}
