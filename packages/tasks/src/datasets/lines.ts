export interface Line {
  /** From 1. */
  readonly number: number;
  /** Byte range without the line end. */
  readonly start: number;
  readonly end: number;
}

export const LINE_FEED = 0x0a;
export const CARRIAGE_RETURN = 0x0d;

/** The lines of a text, ended by LF or CR LF. */
export function* linesOf(text: Buffer): Generator<Line> {
  let start = 0;
  for (let number = 1; start < text.length; number++) {
    const feed = text.indexOf(LINE_FEED, start);
    const next = feed < 0 ? text.length : feed;
    const end = next > start && text[next - 1] === CARRIAGE_RETURN ? next - 1 : next;
    yield { number, start, end };
    start = next + 1;
  }
}
