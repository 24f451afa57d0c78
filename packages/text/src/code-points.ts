// Offsets into texts count Unicode code points; JavaScript strings count UTF-16 units, other clients
// bytes of UTF-8. Texts of the basic plane, which are most, need no table.

export const OFFSET_UNITS = ['codepoint', 'utf16', 'byte'] as const;
export type OffsetUnit = (typeof OFFSET_UNITS)[number];

/** A text addressed by code point. Building costs nothing for texts without surrogate pairs. */
export class CodePoints {
  readonly text: string;
  /** UTF-16 index of every code point and of the end; absent where both countings agree. */
  readonly #starts: Uint32Array | undefined;

  constructor(text: string) {
    this.text = text;
    this.#starts = /[\ud800-\udbff]/.test(text) ? codePointStarts(text) : undefined;
  }

  /** Number of code points. */
  get length(): number {
    return this.#starts === undefined ? this.text.length : this.#starts.length - 1;
  }

  /** UTF-16 index of a code point; `length` gives the end of the text. */
  toUtf16(index: number): number {
    return this.#starts === undefined ? index : (this.#starts[index] ?? this.text.length);
  }

  /** Index of the code point that holds the UTF-16 unit; the length of the text gives `length`. */
  fromUtf16(unit: number): number {
    const starts = this.#starts;
    if (starts === undefined) return unit;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= unit) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The text from code point `start` up to `end`. */
  slice(start: number, end: number): string {
    return this.text.slice(this.toUtf16(start), this.toUtf16(end));
  }

  /** Whether the code point at `index` is white space to Unicode; U+FEFF, which `\s` matches, is not. */
  isSpace(index: number): boolean {
    // Every white space character is a single UTF-16 unit.
    return /\p{White_Space}/u.test(this.text.charAt(this.toUtf16(index)));
  }

  /** A code point index in another unit. */
  inUnit(index: number, unit: OffsetUnit): number {
    switch (unit) {
      case 'codepoint':
        return index;
      case 'utf16':
        return this.toUtf16(index);
      case 'byte':
        return Buffer.byteLength(this.slice(0, index));
      default:
        return unit satisfies never;
    }
  }
}

function codePointStarts(text: string): Uint32Array {
  const starts = new Uint32Array(text.length + 1);
  let count = 0;
  let position = 0;
  for (const character of text) {
    starts[count++] = position;
    position += character.length;
  }
  starts[count++] = position;
  return starts.slice(0, count);
}
