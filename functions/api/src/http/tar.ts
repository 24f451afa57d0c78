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

/** The regular files of an archive by path. @throws ApiError `archive.invalid` */
export async function unpackTar(bytes: Uint8Array): Promise<Record<string, Uint8Array>> {
  const tar = extract();
  tar.end(bytes);
  const files: [string, Uint8Array][] = [];
  try {
    for await (const entry of tar) {
      const pieces: Uint8Array[] = [];
      for await (const piece of entry as AsyncIterable<Uint8Array>) pieces.push(piece);
      const { type, name } = entry.header;
      if (type === 'file') files.push([name, Buffer.concat(pieces)]);
      if (files.length > MAX_ENTRIES) throw new Error(`it has more than ${MAX_ENTRIES} files`);
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw ApiError.unprocessable('archive.invalid', `the archive cannot be read: ${why}`);
  }
  return Object.fromEntries(files);
}
