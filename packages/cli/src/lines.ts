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

const BYTE_ORDER_MARK = Buffer.from('\ufeff');

/** The lines of a block that hold more than white space, without the space around them. */
export function* linesOf(block: LineBlock): Generator<{ bytes: Buffer; line: number }> {
  const { bytes, firstLine } = block;
  let start = firstLine === 1 && bytes.indexOf(BYTE_ORDER_MARK) === 0 ? BYTE_ORDER_MARK.length : 0;
  for (let line = firstLine; start < bytes.length; line++) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const next = feed < 0 ? bytes.length : feed;
    let [from, to] = [start, next];
    while (from < to && isSpace(bytes[from]!)) from++;
    while (to > from && isSpace(bytes[to - 1]!)) to--;
    if (to > from) yield { bytes: bytes.subarray(from, to), line };
    start = next + 1;
  }
}

/** Space, tab, carriage return. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d;
}

function countLineFeeds(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) count++;
  return count;
}
