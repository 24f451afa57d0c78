/** The service as a user starts it: the Node entry in a process of its own, driven from outside only. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ENTRY = fileURLToPath(new URL('../../../functions/api/src/node.ts', import.meta.url));

export interface ServiceProcess {
  /** Without a slash at the end. */
  readonly url: string;
  /** What it printed for the person who started it. */
  readonly greeting: string;
  /** What it logged so far, its tuner included. */
  readonly log: string;
  /** Settings with which another process works on the same state. Needs the log level info. */
  sharedState(): Promise<Record<string, string>>;
  /** SIGKILL to one part or to both at once. Finding the tuner needs the log level info. */
  kill(part?: 'api' | 'tuner' | 'all'): Promise<void>;
  /** SIGTERM. @returns the exit code */
  stop(): Promise<number | null>;
}

/**
 * @param settings environment variables
 * @throws what the process said, if it ends instead of starting
 */
export async function startServiceProcess(
  settings: Readonly<Record<string, string>>,
): Promise<ServiceProcess> {
  const child = spawn(process.execPath, [ENTRY], {
    env: { ...process.env, POLYPROMPT_PORT: '0', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, so that a kill reaches the whole tree.
    detached: true,
  });
  const said = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => (said.out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (said.err += text));
  await Promise.race([
    until(child, () => /^polyprompt on /m.test(said.out)),
    once(child, 'exit').then(([code, signal]) => {
      throw new Error(`the service ended with ${code ?? signal}: ${said.err}`);
    }),
  ]);
  return {
    url: /^polyprompt on (\S+)/m.exec(said.out)![1]!.replace('localhost', '127.0.0.1'),
    get greeting() {
      return said.out;
    },
    get log() {
      return said.err;
    },
    async sharedState() {
      await until(child, () => tunerStarts(said.err).length > 0);
      const [{ bucket, endpoint }] = tunerStarts(said.err) as [TunerStart];
      const file = join(settings.POLYPROMPT_HOME!, 'cloud/credentials.json');
      const keys = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
      return {
        POLYPROMPT_BUCKET: bucket,
        POLYPROMPT_ENDPOINT: endpoint,
        AWS_ACCESS_KEY_ID: keys.accessKeyId!,
        AWS_SECRET_ACCESS_KEY: keys.secretAccessKey!,
      };
    },
    async kill(part = 'all') {
      const tuner = tunerStarts(said.err).at(-1)?.pid;
      if (part === 'tuner') return tuner === undefined ? undefined : sendKill(tuner);
      const exited = hasEnded(child) ? undefined : once(child, 'exit');
      sendKill(part === 'api' ? child.pid! : -child.pid!);
      await exited;
    },
    async stop() {
      if (!hasEnded(child)) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
      return child.exitCode;
    },
  };
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess) =>
  exitCode !== null || signalCode !== null;

async function until(child: ChildProcess, reached: () => boolean): Promise<void> {
  while (!reached() && !hasEnded(child)) {
    await Promise.race([
      once(child.stdout!, 'data'),
      once(child.stderr!, 'data'),
      once(child, 'exit'),
    ]);
  }
}

/** @param pid negative for a process group, as for the system */
function sendKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // Gone already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

interface TunerStart {
  readonly pid: number;
  readonly bucket: string;
  readonly endpoint: string;
}

function tunerStarts(log: string): TunerStart[] {
  const lines = log.match(/^.*"msg":"tuner started".*\n/gm) ?? [];
  return lines.map((line) => JSON.parse(line) as TunerStart);
}
