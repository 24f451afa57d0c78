/** Which failures are the job's own, and how they read; all others are tried again. */
import { BackboneError } from '@polyprompt/backbone';
import { PromptError } from '@polyprompt/prompts';
import { type DatasetIssue, showIssue } from '@polyprompt/tasks';
import { type FileCheck, TuningError } from '@polyprompt/tuning';
import { TunerError } from './errors.ts';
import { settingParam } from './settings.ts';

/** The `error` of a failed job. */
export interface JobFailure {
  readonly code: string;
  readonly message: string;
  /** The field of the job that is concerned. */
  readonly param: string | null;
}

/** Findings about a backbone that another machine or moment need not make. */
const PASSING: readonly unknown[] = ['device_unavailable', 'changed_while_reading'];
/** Problems spelled out in a job's error; the report of the file has more. */
const SHOWN_ISSUES = 20;

/**
 * What a job fails with for an error that the same data and settings would bring about again.
 * @returns undefined for errors of the machine, the network, or unknown ones
 */
export function failureOf(error: unknown): JobFailure | undefined {
  if (!(error instanceof Error)) return undefined;
  const { name, message } = error;
  // By name as well as by class: errors of the training thread arrive without their class.
  const { code, setting } = error as { readonly code?: unknown; readonly setting?: unknown };
  if (name === TunerError.name && code === 'file_gone') {
    return { code: 'file_not_found', message, param: (error as TunerError).param ?? null };
  }
  if (name === TunerError.name && code === 'parent_gone') {
    return { code: 'prompt_not_found', message, param: 'prompt.from' };
  }
  // The version that the job continues from: damaged, or of another backbone.
  if (name === PromptError.name) return { code: 'prompt_unusable', message, param: 'prompt.from' };
  if (name === TunerError.name && code === 'unknown_backbone') {
    return { code: 'model_not_found', message, param: 'model' };
  }
  if (name === BackboneError.name && !PASSING.includes(code)) {
    return { code: 'model_unusable', message, param: 'model' };
  }
  if (name !== TuningError.name) return undefined;
  switch (code as TuningError['code']) {
    case 'bad_data':
      return { code: 'invalid_training_file', message, param: 'training_file' };
    case 'bad_setting':
      return { code: 'invalid_settings', message, param: settingParam(setting) };
    case 'diverged':
      return { code: 'training_diverged', message, param: 'hyperparameters' };
    default:
      return undefined;
  }
}

/** A checked data file with the name that its owner gave it. */
export interface CheckedFile {
  readonly name: string;
  readonly param: 'training_file' | 'validation_file';
  readonly check: FileCheck;
}

/** The failure of a job whose data has errors: every problem by file and line, as far as they fit. */
export function dataFailure(files: readonly CheckedFile[]): JobFailure {
  const bad = files.filter(({ check }) => !check.valid);
  const total = bad.reduce((sum, { check }) => sum + check.errors, 0);
  const lines = bad.flatMap(({ check, name }) =>
    check.issues.filter(isError).map((issue) => showIssue(issue, name)),
  );
  const shown = lines.slice(0, SHOWN_ISSUES);
  const rest = total - shown.length;
  const more = rest > 0 ? [`and ${rest} more; the report of the file lists them`] : [];
  const names = bad.map(({ name }) => name).join(' and ');
  const head = `${total} ${total === 1 ? 'problem' : 'problems'} in ${names}:`;
  const param = bad[0]?.param ?? 'training_file';
  return {
    code: param === 'training_file' ? 'invalid_training_file' : 'invalid_validation_file',
    message: [head, ...shown, ...more].join('\n'),
    param,
  };
}

function isError({ severity }: DatasetIssue): boolean {
  return severity === 'error';
}
