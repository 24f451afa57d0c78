// Offsets of tokens count code points; JavaScript strings count UTF-16 units. This is the bridge.

/** A text addressed by code point. Building costs nothing for texts without surrogate pairs. */
export class CodePointText {
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
    return this.#starts?.[index] ?? index;
  }

  /** The text from code point `start` up to `end`. */
  slice(start: number, end: number): string {
    return this.text.slice(this.toUtf16(start), this.toUtf16(end));
  }

  /** Whether the code point at `index` is white space. */
  isSpace(index: number): boolean {
    // Every white space character is a single UTF-16 unit.
    return /\s/.test(this.text.charAt(this.toUtf16(index)));
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
