/** An inference worker that dies of a batch with a row of 13 tokens, slowly enough for others to queue behind it. */
import { parentPort } from 'node:worker_threads';
import type { ToWorker } from '../protocol.ts';

// First, because the port hands messages out as soon as anybody listens.
await import('../inference-worker.ts');

parentPort?.on('message', (message: ToWorker) => {
  if (message.type !== 'run') return;
  if (!message.rows.some(({ ids }) => ids.length === 13)) return;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  process.exit(7);
});
