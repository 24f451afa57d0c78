/** The far side of `tuneInWorker`: runs a job on its own thread and reports by messages. */
import { parentPort, workerData } from 'node:worker_threads';
import { runJob } from './job.ts';
import type { TuningJob } from './plan.ts';

const { job, stop } = workerData as { job: TuningJob; stop: Int32Array };

try {
  const result = await runJob(job, {
    onEvent: (event) => parentPort!.postMessage({ event }),
    // Shared memory, because a computing thread does not read messages.
    shouldStop: () => Atomics.load(stop, 0) === 1,
  });
  parentPort!.postMessage({ result });
} catch (error) {
  const { name, code, setting, message, stack } = error as Error & {
    code?: string;
    setting?: string;
  };
  parentPort!.postMessage({ failure: { name, code, setting, message, stack } });
}
