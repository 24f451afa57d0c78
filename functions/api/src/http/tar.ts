/** Small tar archives in memory. */
import { ApiError } from '@polyprompt/contract';
import { extract, pack } from 'tar-stream';

/** More would not be an exported version. */
const MAX_ENTRIES = 16;

export function packTar(
  files: Readonly<Record<string, Uint8Array>>,
  modified: Date,
): ReadableStream {
  const tar = pack();
  for (const [name, bytes] of Object.entries(files)) {
    tar.entry({ name, mtime: modified }, Buffer.from(bytes));
  }
  tar.finalize();
  return ReadableStream.from(tar);
}

/**
 * The regular files of an archive by path; folders and links are passed over.
 * @throws ApiError `archive.invalid`, also for paths that lead out of it and for those that occur twice
 */
export async function unpackTar(bytes: Uint8Array): Promise<Record<string, Uint8Array>> {
  const tar = extract();
  tar.end(bytes);
  const files = new Map<string, Uint8Array>();
  let entries = 0;
  try {
    for await (const entry of tar) {
      if (++entries > MAX_ENTRIES) throw new Error(`it has more than ${MAX_ENTRIES} entries`);
      const pieces: Uint8Array[] = [];
      for await (const piece of entry as AsyncIterable<Uint8Array>) pieces.push(piece);
      const { type, name } = entry.header;
      if (type !== 'file') continue;
      if (/^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|\0/.test(name)) {
        throw new Error(`its path ${JSON.stringify(name)} leads out of it`);
      }
      if (files.has(name)) throw new Error(`it has ${JSON.stringify(name)} twice`);
      files.set(name, Buffer.concat(pieces));
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw ApiError.unprocessable('archive.invalid', `the archive cannot be read: ${why}`);
  }
  return Object.fromEntries(files);
}
