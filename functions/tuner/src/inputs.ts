/** The data files of a job, fetched into its private folder under the names that their owner gave them. */
import { createWriteStream } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type FileRecord, type Job, type Registry, RegistryError } from '@polyprompt/registry';
import { TunerError } from './errors.ts';

export type FileParam = 'training_file' | 'validation_file';

export interface InputFile {
  readonly param: FileParam;
  readonly record: FileRecord;
  readonly path: string;
}

export interface Inputs {
  readonly train: InputFile;
  readonly dev: InputFile | undefined;
}

/**
 * Streams the files of a job to `folder`; the store checks their checksums on the way.
 * @throws TunerError `file_gone`
 */
export async function fetchInputs(
  registry: Pick<Registry, 'files'>,
  job: Job,
  folder: string,
  signal: AbortSignal,
): Promise<Inputs> {
  const fetchOne = (param: FileParam, id: string) =>
    fetchFile(registry, job, { param, id, folder: join(folder, param), signal });
  return {
    train: await fetchOne('training_file', job.trainingFile),
    dev: job.validationFile ? await fetchOne('validation_file', job.validationFile) : undefined,
  };
}

async function fetchFile(
  { files }: Pick<Registry, 'files'>,
  job: Job,
  {
    param,
    id,
    folder,
    signal,
  }: { param: FileParam; id: string; folder: string; signal: AbortSignal },
): Promise<InputFile> {
  try {
    const { file: record, body } = await files.content(job.tenant, id, { signal });
    const path = join(folder, localName(record.filename));
    await toFile(body, path, signal);
    return { param, record, path };
  } catch (cause) {
    if (!(cause instanceof RegistryError)) throw cause;
    if (cause.code !== 'file_not_found' && cause.code !== 'file_not_ready') throw cause;
    throw new TunerError(
      'file_gone',
      `${param} ${id} was deleted before the job could read it; upload it again and create a new job`,
      { param, cause },
    );
  }
}

/** Streams to a file that appears when it is complete. */
export async function toFile(body: Readable, path: string, signal: AbortSignal): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await pipeline(body, createWriteStream(`${path}.part`, { mode: 0o600 }), { signal });
  await rename(`${path}.part`, path);
}

const MAX_NAME_BYTES = 200;

/** A name for the local disk; its ending, which tells the format, stays. */
export function localName(filename: string): string {
  const safe = filename.replace(/[^\p{L}\p{N}._ -]/gu, '_').replace(/^\.+/, '_');
  let name = safe;
  while (Buffer.byteLength(name) > MAX_NAME_BYTES) name = name.slice(1);
  return name || 'data';
}
