/**
 * What is known of a job's files before it is made. A file that is known not to fit the task is refused at
 * once, by the field that names it; one that nobody has checked is the tuner's to check.
 */
import { ApiError, type JobCreate } from '@polyprompt/contract';
import type { FileRecord, Registry } from '@polyprompt/registry';
import type { TaskName } from '@polyprompt/tasks';
import { z } from 'zod';
import { hasCode } from '../errors.ts';
import type { HeldBytes } from '../http/held-bytes.ts';
import type { DataChecks, Reading } from './check-data.ts';
import { storedData } from './stored-data.ts';

type Param = 'training_file' | 'validation_file';

export interface JobFilesDeps {
  readonly files: Registry['files'];
  readonly checks: DataChecks;
  readonly held: HeldBytes;
  /** Largest file that is checked here, in bytes. */
  readonly checkBytes: number;
}

export interface WantedFiles extends Pick<JobCreate, Param> {
  readonly tenant: string;
  readonly task: TaskName;
  readonly reading: Reading;
}

/** What both writers of reports, the API and the tuner, have in theirs. */
const Report = z.object({
  valid: z.boolean(),
  examples: z.int(),
  errors: z.int(),
  offset_unit: z.string().optional(),
  invalid_tags: z.string().optional(),
  issues: z.array(
    z.object({
      severity: z.enum(['error', 'warning']),
      line: z.int().nullable(),
      message: z.string(),
      suggestion: z.string().optional(),
    }),
  ),
});
type Report = z.infer<typeof Report>;

/** @throws ApiError `file.not_found`, `file.invalid` */
export async function checkJobFiles(
  deps: JobFilesDeps,
  wanted: WantedFiles,
  signal: AbortSignal,
): Promise<void> {
  const { tenant, task, training_file, validation_file } = wanted;
  for (const [param, id] of [
    ['training_file', training_file],
    ['validation_file', validation_file],
  ] as const) {
    if (!id) continue;
    const file = await deps.files.get(tenant, id).catch((error) => {
      if (!hasCode(error, 'file_not_found')) throw error;
      const message = `${error.message}; GET /v1/files lists those of this key`;
      throw ApiError.notFound('file.not_found', message, param);
    });
    const problem =
      unusable(file) ?? unfit(task, param, await reportOf(deps, wanted, file, signal));
    if (problem === undefined) continue;
    throw ApiError.unprocessable('file.invalid', `file "${id}" ${problem}`, param);
  }
}

function unusable({ status, statusDetails, purpose }: FileRecord): string | undefined {
  if (status !== 'processed')
    return `cannot be used: ${statusDetails ?? 'its bytes have not arrived yet'}`;
  if (purpose === 'fine-tune') return undefined;
  return `has the purpose ${purpose}; upload the data with the purpose fine-tune`;
}

function unfit(task: TaskName, param: Param, report: Report | undefined): string | undefined {
  if (report === undefined) return undefined;
  // A report judges a file as training data; a validation file may do without enough examples of each label.
  if (param === 'training_file' ? report.valid : report.examples > 0) return undefined;
  const first = report.issues.find(({ severity }) => severity === 'error');
  const count = `${report.errors} ${report.errors === 1 ? 'problem' : 'problems'}`;
  const shown = first ? `, the first ${showProblem(first)}` : '';
  return `has ${count} as data for ${task}${shown}; POST /v1/files/validate lists all`;
}

function showProblem({ line, message, suggestion }: Report['issues'][number]): string {
  const where = line === null ? 'in the file as a whole' : `in line ${line}`;
  return `${where}: ${message}${suggestion === undefined ? '' : ` (${suggestion})`}`;
}

/**
 * The report for this task and reading. A file that was checked for others only is checked for this one now:
 * most likely the job names the wrong file, the wrong task or the wrong reading.
 */
async function reportOf(
  { files, checks, held, checkBytes }: JobFilesDeps,
  { tenant, task, reading }: WantedFiles,
  { id, bytes, reports, status }: FileRecord,
  signal: AbortSignal,
): Promise<Report | undefined> {
  const known = Report.safeParse(reports[task]);
  if (known.success && readsAlike(known.data, reading)) return known.data;
  const isOthers = Object.keys(reports).length > 0;
  if (!isOthers || status !== 'processed' || bytes > checkBytes) return undefined;
  if (checks.isBusy(tenant)) return undefined;
  const report = await held.hold(tenant, async (count) => {
    const data = await storedData(files, tenant, id, checkBytes, signal, count);
    return checks.check(tenant, { ...data, task, reading }, signal);
  });
  await files.setReport(tenant, id, task, report);
  return report;
}

/** Whether two readings are the same, with the validator's defaults where they say nothing. */
function readsAlike(a: Pick<Report, keyof Reading>, b: Reading): boolean {
  const { offset_unit = 'codepoint', invalid_tags = 'fix' } = a;
  return (
    offset_unit === (b.offset_unit ?? 'codepoint') && invalid_tags === (b.invalid_tags ?? 'fix')
  );
}
