/** Checks data for a task on a thread of its own, a few at a time. */
import { Worker } from 'node:worker_threads';
import { ApiError, LIMITS, type ValidationReport } from '@polyprompt/contract';
import { type DatasetReport, type TaskName, taskOf } from '@polyprompt/tasks';

/** How the data is to be read, in the words of the wire. */
export type Reading = Pick<ValidationReport, 'offset_unit' | 'invalid_tags'>;

export interface DataToCheck {
  readonly task: TaskName;
  readonly reading: Reading;
  /** File name; its ending tells the format. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The validator's report without the examples themselves. */
export type CheckedData = Omit<DatasetReport<unknown>, 'examples'> & { readonly examples: number };

const AT_ONCE = 3;
const AT_ONCE_BY_TENANT = 2;
const RETRY_MS = 2000;
const ENTRY = new URL('./check-worker.ts', import.meta.url);

export class DataChecks {
  /** The tenant of each check that is running. */
  readonly #running: string[] = [];

  /** Whether another check for this tenant would be refused. */
  isBusy(tenant: string): boolean {
    const own = this.#running.filter((each) => each === tenant).length;
    return this.#running.length >= AT_ONCE || own >= AT_ONCE_BY_TENANT;
  }

  /**
   * Finds the problems of a file.
   * @throws ApiError `overloaded`; TaskError `unknown_task`; the reason of `signal`
   */
  async check(tenant: string, data: DataToCheck, signal: AbortSignal): Promise<ValidationReport> {
    taskOf(data.task);
    if (this.isBusy(tenant)) {
      const message = `${this.#running.length} files are being checked already; at most ${AT_ONCE} are at a time, ${AT_ONCE_BY_TENANT} of one tenant; try again`;
      throw ApiError.tooMany('overloaded', message, RETRY_MS);
    }
    this.#running.push(tenant);
    try {
      return wireReport(data, await inWorker(data, signal));
    } finally {
      this.#running.splice(this.#running.indexOf(tenant), 1);
    }
  }
}

async function inWorker(data: DataToCheck, signal: AbortSignal): Promise<CheckedData> {
  signal.throwIfAborted();
  const worker = new Worker(ENTRY, { workerData: data });
  const { promise, resolve, reject } = Promise.withResolvers<CheckedData>();
  const leave = () => reject(signal.reason);
  signal.addEventListener('abort', leave, { once: true });
  worker.once('message', resolve);
  worker.once('error', reject);
  worker.once('exit', (code) => reject(new Error(`the check ended with code ${code}`)));
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', leave);
    await worker.terminate();
  }
}

function wireReport({ task, reading }: DataToCheck, report: CheckedData): ValidationReport {
  const { valid, examples, labels, languages, errors, warnings, issues } = report;
  return {
    object: 'file.validation',
    valid,
    task,
    ...reading,
    examples,
    labels,
    languages,
    errors,
    warnings,
    issues: issues
      .slice(0, LIMITS.reportedIssues)
      .map(({ code, severity, line, path, message, excerpt, suggestion }) => ({
        code,
        severity,
        line,
        message,
        ...(path !== undefined && { path }),
        ...(excerpt !== undefined && { excerpt }),
        ...(suggestion !== undefined && { suggestion }),
      })),
  };
}
