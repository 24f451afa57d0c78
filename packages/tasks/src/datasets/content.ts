// From the bytes of a file to the bytes of its text: decompressed, without byte order mark, with every
// line that is not UTF-8 reported.

import { isUtf8 } from 'node:buffer';
import { gunzipSync } from 'node:zlib';
import { excerptOf } from './issue.ts';
import type { IssueLog } from './issue-log.ts';
import { linesOf } from './lines.ts';

export interface Content {
  readonly text: Buffer;
  /** Numbers of the lines that are not UTF-8; they are reported already. */
  readonly badLines: ReadonlySet<number>;
}

/** Undefined where nothing can be read; the reason is in the log. */
export function readContent(
  bytes: Uint8Array,
  fileBytes: number,
  log: IssueLog,
): Content | undefined {
  const plain = decompress(bytes, fileBytes, log);
  if (plain === undefined) return undefined;
  if (plain.length > fileBytes) {
    reportTooLarge(fileBytes, log);
    return undefined;
  }
  const kind = binaryKind(plain);
  if (kind !== undefined) {
    log.add('not_text', {
      line: null,
      message: `the file is ${kind}, not UTF-8 text`,
      suggestion: 'save it as JSONL, CSV or TSV in UTF-8',
    });
    return undefined;
  }
  const markLength = plain.subarray(0, 3).equals(BYTE_ORDER_MARK) ? 3 : 0;
  const text = plain.subarray(markLength);
  if (!/\S/.test(text.toString('latin1', 0, 4096)) && text.toString().trim() === '') {
    log.add('empty_file', {
      line: null,
      message: 'the file is empty',
      suggestion: 'check that the right file was given and that writing it had finished',
    });
    return undefined;
  }
  return { text, badLines: reportBadLines(text, markLength, log) };
}

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

const SIGNATURES: readonly (readonly [bytes: string, kind: string])[] = [
  ['504b0304', 'a ZIP archive or a spreadsheet'],
  ['d0cf11e0', 'an old Office document'],
  ['50415231', 'Parquet'],
  ['fffe', 'UTF-16'],
  ['feff', 'UTF-16'],
];

function binaryKind(content: Buffer): string | undefined {
  const start = content.toString('hex', 0, 4);
  const known = SIGNATURES.find(([bytes]) => start.startsWith(bytes));
  if (known !== undefined) return known[1];
  return content.subarray(0, 4096).includes(0) ? 'binary' : undefined;
}

function decompress(bytes: Uint8Array, fileBytes: number, log: IssueLog): Buffer | undefined {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  try {
    return gunzipSync(bytes, { maxOutputLength: fileBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      reportTooLarge(fileBytes, log);
    } else {
      log.add('damaged_gzip', {
        line: null,
        message: `the file cannot be decompressed: ${(error as Error).message}`,
        suggestion: 'compress it again with gzip, or send it uncompressed',
      });
    }
    return undefined;
  }
}

function reportTooLarge(limit: number, log: IssueLog): void {
  log.add('file_too_large', {
    line: null,
    message: `the file holds more than the limit of ${limit.toLocaleString('en')} bytes of text`,
    suggestion: 'split the file',
    limit,
  });
}

function reportBadLines(text: Buffer, markLength: number, log: IssueLog): Set<number> {
  const badLines = new Set<number>();
  if (isUtf8(text)) return badLines;
  for (const { number, start, end } of linesOf(text)) {
    const line = text.subarray(start, end);
    if (isUtf8(line)) continue;
    badLines.add(number);
    const byteOffset = markLength + start + firstBadByte(line);
    log.add('invalid_utf8', {
      line: number,
      message: `byte ${byteOffset.toLocaleString('en')} of the file is not UTF-8`,
      excerpt: excerptOf(line.toString()),
      suggestion: 'save the file in UTF-8 (iconv -f latin1 -t utf-8, for example)',
      byteOffset,
    });
  }
  return badLines;
}

/** Index of the first byte of the first sequence that is not UTF-8. */
function firstBadByte(line: Buffer): number {
  // Decoding puts U+FFFD in place of a bad sequence, so the first difference after encoding it again
  // is inside of that character.
  const again = Buffer.from(line.toString());
  let index = 0;
  while (index < line.length && line[index] === again[index]) index++;
  while (((again[index] ?? 0) & 0xc0) === 0x80) index--;
  return index;
}
