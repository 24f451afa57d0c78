/** The thread that checks one data file: reading half a million rows would hold up all requests. */
import { parentPort, workerData } from 'node:worker_threads';
import { taskOf } from '@polyprompt/tasks';
import type { CheckedData, DataToCheck } from './check-data.ts';

const { task, name, bytes } = workerData as DataToCheck;
const { examples, ...report } = taskOf(task).parse({ name, bytes });
parentPort?.postMessage({ ...report, examples: examples.length } satisfies CheckedData);
