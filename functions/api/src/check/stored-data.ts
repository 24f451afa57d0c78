/** A stored file in memory, to be checked: within a limit, because it is held as a whole. */
import { ApiError } from '@polyprompt/contract';
import type { Registry } from '@polyprompt/registry';
import type { DataToCheck } from './check-data.ts';

/** Told, before they are kept, of bytes that are. @throws ApiError `overloaded` */
export type Count = (bytes: number) => void;

/** @throws ApiError `body.too_large`, what `count` throws; RegistryError `file_not_found`, `file_not_ready` */
export async function storedData(
  files: Registry['files'],
  tenant: string,
  id: string,
  maxBytes: number,
  signal: AbortSignal,
  count: Count,
): Promise<Pick<DataToCheck, 'name' | 'bytes'>> {
  const { filename: name, bytes: size } = await files.get(tenant, id);
  if (size > maxBytes) {
    const message = `file "${id}" has ${size} bytes, the limit of a check is ${maxBytes}; start a job, which checks files of any size before it trains`;
    throw new ApiError('body.too_large', 413, message, 'file_id');
  }
  const { body } = await files.content(tenant, id, { signal });
  return { name, bytes: await collect(body, count) };
}

export async function collect(
  content: AsyncIterable<Uint8Array>,
  count: Count,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of content) {
    count(piece.byteLength);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
