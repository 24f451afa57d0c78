/** The thread that checks one data file: reading half a million rows would hold up all requests. */
import { parentPort, workerData } from 'node:worker_threads';
import { taskOf } from '@polyprompt/tasks';
import type { CheckedData, DataToCheck } from './check-data.ts';

const { task, reading, name, bytes } = workerData as DataToCheck;
const { offset_unit: offsetUnit, invalid_tags: invalidTags } = reading;
const options = { ...(offsetUnit && { offsetUnit }), ...(invalidTags && { invalidTags }) };
const { examples, ...report } = taskOf(task).parse({ name, bytes }, options);
parentPort?.postMessage({ ...report, examples: examples.length } satisfies CheckedData);
