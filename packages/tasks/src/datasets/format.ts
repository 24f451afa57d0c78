export const FORMATS = ['jsonl', 'json', 'csv', 'tsv', 'conll'] as const;
export type Format = (typeof FORMATS)[number];

const ENDINGS: Readonly<Record<string, Format>> = {
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  csv: 'csv',
  tsv: 'tsv',
  tab: 'tsv',
  conll: 'conll',
  conllu: 'conll',
  bio: 'conll',
  iob: 'conll',
  iob2: 'conll',
};

/** The format by the ending of the name, `.gz` aside, or else by the first line with content. */
export function formatOf(name: string, content: Buffer): Format {
  const ending = name.toLowerCase().replace(/\.gz$/, '').split('.').at(-1) ?? '';
  return ENDINGS[ending] ?? sniffFormat(content, ending);
}

function sniffFormat(content: Buffer, ending: string): Format {
  const start = content.toString('utf8', 0, 64).trimStart();
  if (start.startsWith('[')) return 'json';
  if (start.startsWith('{')) return isDocument(content, ending) ? 'json' : 'jsonl';
  const line = /\S[^\n]*/.exec(content.toString('utf8', 0, 64 * 1024))?.[0] ?? '';
  return line.includes('\t') ? 'tsv' : 'csv';
}

/** Whether a text that begins with `{` is one object on many lines, or one that holds the rows. */
function isDocument(content: Buffer, ending: string): boolean {
  const [line, ...others] = content.toString().trim().split('\n', 2) as [string, string?];
  try {
    const first = JSON.parse(line) as { readonly data?: unknown };
    return others.length === 0 && (ending === 'json' || Array.isArray(first.data));
  } catch {
    return ending === 'json' || !line.trimEnd().endsWith('}');
  }
}
