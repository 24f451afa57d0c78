/** A stream of bytes in blocks of whole lines, as large as they come: bounded memory, no waiting. */
import { CliError } from './errors.ts';

export interface LineBlock {
  readonly bytes: Buffer;
  /** Number of the block's first line, from 1. */
  readonly firstLine: number;
}

export const MAX_LINE_BYTES = 16 * 1024 * 1024;
const LINE_FEED = 0x0a;

/** @throws CliError `bad_input` for a line of more than MAX_LINE_BYTES */
export async function* lineBlocks(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<LineBlock> {
  let firstLine = 1;
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    if (end > 0) {
      const bytes = Buffer.concat([...rest, chunk.subarray(0, end)]);
      yield { bytes, firstLine };
      firstLine += countLineFeeds(bytes);
      rest = [];
      restBytes = 0;
    }
    rest.push(chunk.subarray(end));
    restBytes += chunk.length - end;
    if (restBytes > MAX_LINE_BYTES) {
      throw new CliError(
        'bad_input',
        `${name}, line ${firstLine}: the line is longer than the limit of ` +
          `${MAX_LINE_BYTES.toLocaleString('en')} bytes; write one text per line`,
      );
    }
  }
  if (restBytes > 0) yield { bytes: Buffer.concat(rest), firstLine };
}

function countLineFeeds(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) count++;
  return count;
}
