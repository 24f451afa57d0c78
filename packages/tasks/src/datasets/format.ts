export const FORMATS = ['jsonl', 'csv', 'tsv'] as const;
export type Format = (typeof FORMATS)[number];

const ENDINGS: Readonly<Record<string, Format>> = {
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  csv: 'csv',
  tsv: 'tsv',
  tab: 'tsv',
};

/** The format by the ending of the name, `.gz` aside, or else by the first line with content. */
export function formatOf(name: string, content: Buffer): Format {
  const ending = name.toLowerCase().replace(/\.gz$/, '').split('.').at(-1) ?? '';
  return ENDINGS[ending] ?? sniffFormat(content);
}

function sniffFormat(content: Buffer): Format {
  const line = /\S[^\n]*/.exec(content.toString('utf8', 0, 64 * 1024))?.[0] ?? '';
  if (line.startsWith('{') || line.startsWith('[')) return 'jsonl';
  return line.includes('\t') ? 'tsv' : 'csv';
}
