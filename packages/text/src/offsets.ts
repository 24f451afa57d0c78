// Offsets of data and of answers count code points, UTF-16 units or bytes; inside they are code points.
import type { OffsetUnit } from './code-points.ts';

/** Offset of every code point of a text and of its end, in another unit. */
function table(text: string, unit: OffsetUnit): Uint32Array {
  const offsets = new Uint32Array(text.length + 1);
  let count = 0;
  let offset = 0;
  for (const character of text) {
    offsets[count++] = offset;
    if (unit === 'codepoint') offset++;
    else offset += unit === 'utf16' ? character.length : Buffer.byteLength(character);
  }
  offsets[count++] = offset;
  return offsets.subarray(0, count);
}

/** Maps code points of a text to a unit. */
export function toUnit(text: string, unit: OffsetUnit): (codePoint: number) => number {
  if (unit === 'codepoint') return (codePoint) => codePoint;
  const offsets = table(text, unit);
  return (codePoint) => offsets[codePoint]!;
}

/** Maps offsets of a unit to code points; undefined for those beyond the text or inside a character. */
export function fromUnit(text: string, unit: OffsetUnit): (offset: number) => number | undefined {
  const offsets = table(text, unit);
  return (offset) => {
    let low = 0;
    let high = offsets.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (offsets[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return offsets[low] === offset ? low : undefined;
  };
}
