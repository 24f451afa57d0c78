/**
 * The thread of the embedded object store and queue: what they sync to disk holds up no request. It
 * announces itself with one message and ends when told to.
 */
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { startLocalCloud } from '@polyprompt/local-cloud';
import type { CloudReport } from './embedded-cloud.ts';

const { home } = workerData as { readonly home: string };

try {
  const cloud = await startLocalCloud({ dir: join(home, 'cloud') });
  const { endpoint, credentials } = cloud;
  parentPort!.once('message', async () => {
    await cloud.close();
    parentPort!.close();
  });
  parentPort!.postMessage({ endpoint, credentials } satisfies CloudReport);
} catch (error) {
  const problem = error instanceof Error ? error.message : String(error);
  parentPort!.postMessage({ problem } satisfies CloudReport);
  parentPort!.close();
}
