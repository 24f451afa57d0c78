/** `polyprompt serve`: the service in a child process that ends with this one. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { ChildExit } from '../errors.ts';
import { catchInterrupts } from '../interrupts.ts';

const SERVICE = new URL('../../../../functions/api/src/', import.meta.url);
const ENTRY = fileURLToPath(new URL('node.ts', SERVICE));
const GUARD = new URL('node/end-with-parent.ts', SERVICE).href;

interface Options {
  readonly port?: string;
  readonly home?: string;
  readonly backbone?: string;
  readonly key?: string;
  readonly precision?: string;
}

export function serveCommand(): Command {
  return new Command('serve')
    .description('Start the service: API, tuner, object store and queue.')
    .option('--port <port>', 'POLYPROMPT_PORT')
    .option('--home <dir>', 'POLYPROMPT_HOME')
    .option('--backbone <dir or name>', 'POLYPROMPT_BACKBONE')
    .option('--key <secret>', 'POLYPROMPT_KEY')
    .option('--precision <precision>', 'POLYPROMPT_PRECISION')
    .addHelpText('after', () => `\n${settings()}`)
    .addHelpText(
      'after',
      `
Examples:
  polyprompt serve
  polyprompt serve --port 9000 --home /var/lib/polyprompt
  POLYPROMPT_LOG_LEVEL=warn polyprompt serve --backbone ~/models/xlm-roberta-base`,
    )
    .action(serve);
}

/** What the service says about its settings, less the usage line of its own. */
function settings(): string {
  const { stdout } = spawnSync(process.execPath, [ENTRY, '--help'], { encoding: 'utf8' });
  const [, ...paragraphs] = stdout.trimEnd().split('\n\n');
  return paragraphs.join('\n\n');
}

async function serve({ port, home, backbone, key, precision }: Options): Promise<void> {
  const given = {
    POLYPROMPT_PORT: port,
    POLYPROMPT_HOME: home,
    POLYPROMPT_BACKBONE: backbone,
    POLYPROMPT_KEY: key,
    POLYPROMPT_PRECISION: precision,
  };
  const chosen = Object.entries(given).filter(([, value]) => value !== undefined);
  const service = spawn(process.execPath, ['--import', GUARD, ENTRY], {
    env: { ...process.env, ...Object.fromEntries(chosen) },
    // The channel tells the service when this process is gone, however it went.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // Out of reach of the terminal's Ctrl-C, which would arrive twice, and twice means at once.
    detached: true,
  });
  const interrupts = catchInterrupts(() => service.kill('SIGTERM'));
  const [code, signal] = (await once(service, 'exit')) as [number | null, NodeJS.Signals | null];
  interrupts.release();
  const exitCode = code ?? 128 + constants.signals[signal!];
  if (exitCode !== 0) throw new ChildExit(exitCode);
}
