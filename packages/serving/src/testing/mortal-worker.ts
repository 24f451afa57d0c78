/** An inference worker that dies of a batch with a row of 13 tokens. */
import { parentPort } from 'node:worker_threads';
import type { ToWorker } from '../protocol.ts';

// First, because the port hands messages out as soon as anybody listens.
await import('../inference-worker.ts');

parentPort?.on('message', (message: ToWorker) => {
  if (message.type !== 'run') return;
  if (message.rows.some(({ ids }) => ids.length === 13)) process.exit(7);
});
