/** Command line: `npx node packages/local-cloud/src/main.ts --dir D [--port P] [--durability full|normal]`. */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startLocalCloud } from './index.ts';

const USAGE = `Usage: main.ts --dir DIR [--port PORT] [--durability full|normal]

Serves S3 and SQS on http://127.0.0.1:PORT (default: a free port) with its state in DIR.
The key pair to sign with is in DIR/credentials.json. Stops on SIGINT and SIGTERM.
`;

const { values } = parseArgs({
  options: {
    dir: { type: 'string' },
    port: { type: 'string', default: '0' },
    durability: { type: 'string', default: 'full' },
    help: { type: 'boolean', default: false },
  },
});

const port = Number(values.port);
const durability =
  values.durability === 'full' || values.durability === 'normal' ? values.durability : undefined;
if (values.help) {
  process.stdout.write(USAGE);
} else if (
  values.dir === undefined ||
  durability === undefined ||
  !Number.isInteger(port) ||
  port < 0 ||
  port > 65_535
) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else {
  await serve(values.dir, port, durability);
}

async function serve(dir: string, port: number, durability: 'full' | 'normal'): Promise<void> {
  try {
    const cloud = await startLocalCloud({ dir, port, durability });
    process.stdout.write(
      `S3 and SQS at ${cloud.endpoint}\nCredentials in ${join(resolve(dir), 'credentials.json')}\n`,
    );
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => void cloud.close());
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
}
