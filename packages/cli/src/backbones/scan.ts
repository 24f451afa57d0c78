/** Reads every value of every weight, in pieces, and looks for what no model should hold. */
import { open } from 'node:fs/promises';
import type { Checkpoint, WeightDtype, WeightRef } from '@polyprompt/backbone';

export interface ScanOptions {
  readonly onProgress?: (done: number, total: number) => void;
}

const CHUNK_BYTES = 8 << 20;
/** The bits of the exponent: all set in an infinity and in no number. */
const EXPONENT: Record<WeightDtype, number> = { F32: 0x7f800000, F16: 0x7c00, BF16: 0x7f80 };

/** One line per tensor with an infinity or NaN; [] if there is none. */
export async function scanWeights(
  { tensors }: Checkpoint,
  { onProgress }: ScanOptions = {},
): Promise<string[]> {
  const refs = [...tensors.values()];
  const total = refs.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const problems: string[] = [];
  let done = 0;
  for (const ref of refs) {
    const found = await scanTensor(ref, (bytes) => {
      done += bytes;
      onProgress?.(done, total);
    });
    if (found !== undefined) problems.push(found);
  }
  return problems;
}

async function scanTensor(
  { file, name, dtype, offset, byteLength }: WeightRef,
  advance: (bytes: number) => void,
): Promise<string | undefined> {
  const exponent = EXPONENT[dtype];
  const width = dtype === 'F32' ? 4 : 2;
  const buffer = new ArrayBuffer(Math.min(CHUNK_BYTES, byteLength));
  const handle = await open(file, 'r');
  try {
    for (let at = 0; at < byteLength; ) {
      const wanted = Math.min(buffer.byteLength, byteLength - at);
      const { bytesRead } = await handle.read(new Uint8Array(buffer), 0, wanted, offset + at);
      if (bytesRead < wanted) return `${name}: ${file} ends ${wanted - bytesRead} bytes early`;
      const values =
        width === 4
          ? new Uint32Array(buffer, 0, wanted / 4)
          : new Uint16Array(buffer, 0, wanted / 2);
      const index = values.findIndex((bits) => (bits & exponent) === exponent);
      if (index >= 0) return `${name}: the value at ${at / width + index} is NaN or infinite`;
      at += wanted;
      advance(wanted);
    }
  } finally {
    await handle.close();
  }
  return undefined;
}
