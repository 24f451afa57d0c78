/**
 * `npm run build:lambda`: the API as a folder that Lambda takes as it is, with nothing of this project's
 * node_modules but the native parts for the architecture that it runs on.
 */
import { parseArgs } from 'node:util';
import { ARCHITECTURES, bundleApi } from './bundle.ts';

/** What a zip may unpack to, layers included. */
const LIMIT_BYTES = 250 * 1024 ** 2;

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'dist/api' },
    arch: { type: 'string', default: 'x64' },
    backbone: { type: 'string', default: 'models/polyprompt-mini' },
    'no-backbone': { type: 'boolean', default: false },
  },
});
const arch = ARCHITECTURES.find((each) => each === values.arch);
if (arch === undefined) {
  fail(`--arch is ${values.arch}; it must be one of ${ARCHITECTURES.join(', ')}`);
}
const backbone = values['no-backbone'] ? undefined : values.backbone;
const parts = await bundleApi({ out: values.out, arch: arch!, backbone });
const total = parts.reduce((sum, { bytes }) => sum + bytes, 0);
for (const { name, bytes } of parts) process.stdout.write(`${megabytes(bytes)}  ${name}\n`);
process.stdout.write(`${megabytes(total)}  ${values.out} (linux/${arch}), unzipped\n`);
if (total > LIMIT_BYTES) {
  fail(
    `that is more than the ${megabytes(LIMIT_BYTES).trim()} that Lambda takes; leave the backbone out with --no-backbone and push it to the bucket`,
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1).padStart(6)} MB`;
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
