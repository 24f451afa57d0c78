/** Local files to the service: streamed from disk, and past the API where that takes no large bodies. */
import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import type { FileObject } from '@polyprompt/contract';
import { APIError } from 'openai';
import { CliError } from '../errors.ts';
import type { Service } from './client.ts';

const PURPOSE = 'fine-tune';
const TOO_LARGE = 413;

/** @throws CliError `no_such_file`; RemoteError */
export async function uploadFile(service: Service, path: string): Promise<FileObject> {
  const file = await diskFile(path);
  const { files } = await service.openai;
  try {
    return (await files.create({ file, purpose: PURPOSE })) as FileObject;
  } catch (error) {
    if (!(error instanceof APIError) || error.status !== TOO_LARGE) throw error;
    return uploadPresigned(service, file);
  }
}

async function uploadPresigned(service: Service, file: File): Promise<FileObject> {
  const json = { filename: file.name, purpose: PURPOSE, bytes: file.size };
  const upload = await service.call('presignFile', { json });
  await service.put(upload.url, file, upload.headers);
  const { files } = await service.openai;
  return (await files.retrieve(upload.file.id)) as FileObject;
}

/** A file whose bytes are read when they are sent. @throws CliError `no_such_file` */
export async function diskFile(path: string): Promise<File> {
  try {
    return new File([await openAsBlob(path)], basename(path));
  } catch (error) {
    throw new CliError('no_such_file', `${path} cannot be read; give the path of a file`, {
      cause: error,
    });
  }
}

/** Whether an argument is the id of a file at the service, not the path of one here. */
export function isFileId(text: string): boolean {
  return /^file-[A-Za-z0-9_-]+$/.test(text);
}
