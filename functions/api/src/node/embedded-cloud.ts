import { Worker } from 'node:worker_threads';
import type { Credentials } from '@polyprompt/local-cloud';
import { StartError } from './start-error.ts';

/** What the thread says when it has started, or could not. */
export type CloudReport =
  | { readonly endpoint: string; readonly credentials: Credentials }
  | { readonly problem: string };

export interface EmbeddedCloud {
  readonly endpoint: string;
  readonly credentials: Credentials;
  close(): Promise<void>;
}

/**
 * Starts object store and queue over a folder, on a thread of their own.
 * @param onLost called if the thread dies without having been told to
 * @throws StartError when another process uses the folder, or it cannot be written
 */
export async function startEmbeddedCloud(
  home: string,
  onLost: (error: Error) => void,
): Promise<EmbeddedCloud> {
  const worker = new Worker(new URL('./cloud-worker.ts', import.meta.url), {
    workerData: { home },
  });
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const report = await new Promise<CloudReport>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  if ('problem' in report) throw new StartError(report.problem);
  let closing = false;
  worker.on('error', (error) => onLost(error as Error));
  exited.then(() => {
    if (!closing) onLost(new Error('the embedded object store ended'));
  });
  return {
    ...report,
    async close() {
      closing = true;
      worker.postMessage('close');
      await exited;
    },
  };
}
