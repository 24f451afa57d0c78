import type { DatasetSource } from '../datasets/report.ts';
import type { Encoder, TokenEncoding } from '../task.ts';

export function source(name: string, content: string | Uint8Array): DatasetSource {
  return { name, bytes: typeof content === 'string' ? Buffer.from(content) : content };
}

/** A training file without any issue: two labels, eight rows each. */
export function cleanRows(): { text: string; label: string }[] {
  return Array.from({ length: 16 }, (_, i) => ({
    text: `sentence number ${i}`,
    label: i % 2 === 0 ? 'even' : 'odd',
  }));
}

export function jsonLines(rows: readonly unknown[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

/** One token per character between a start and an end token; code points are the ids. */
export const characterEncoder: Encoder = {
  encodeBatch: async (inputs, options) =>
    inputs.map((input) => {
      const texts = typeof input === 'string' ? [input] : input;
      const ids = texts.flatMap((text) => [0, ...[...text].map((c) => c.codePointAt(0)!), 2]);
      const typeIds = texts.flatMap((text, i) => [i, ...[...text].map(() => i), i]);
      const end = options?.truncateTo ?? ids.length;
      return encoding(ids.slice(0, end), typeIds.slice(0, end), ids.length);
    }),
  encodeWords: async () => [],
};

function encoding(ids: number[], typeIds: number[], fullLength: number): TokenEncoding {
  return {
    ids,
    typeIds,
    fullLength,
    rows: ids.map((_, i) => i),
    offsets: ids.map(() => [0, 0]),
    sequenceIds: ids.map(() => null),
    wordIds: ids.map(() => null),
    overflowing: [],
  };
}
