// Prints the OpenAPI document: `npm run openapi`.
// With `--check`, prints nothing and fails if the committed document is another.

import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { openApiDocument } from './openapi.ts';

const root = join(import.meta.dirname, '../../..');
const committed = join(root, 'docs/openapi.json');
const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'));
const text = `${JSON.stringify(openApiDocument(version), null, 2)}\n`;

if (!process.argv.includes('--check')) {
  process.stdout.write(text);
} else if (readFileSync(committed, 'utf8') !== text) {
  const file = relative(root, committed);
  process.stderr.write(`${file} differs from the contract; run: npm run openapi\n`);
  process.exitCode = 1;
}
