/**
 * The tuner as a process. SIGTERM (a Spot notice, a deployment) checkpoints, gives the job back and ends with
 * code 0.
 */
import { join } from 'node:path';
import { createRegistry, JobMessage } from '@polyprompt/registry';
import { createStorage } from '@polyprompt/storage';
import { pino } from 'pino';
import { localBackbones, orStored } from './backbones.ts';
import { readConfig, type TunerConfig } from './config.ts';
import { sweepWorkDirs } from './work-dir.ts';
import { runJobOnce, runTuner } from './worker.ts';

const config = configOrExit();
const log = pino({ name: 'tuner', level: config.logLevel });
const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end(signal));
try {
  await run(config);
} catch (error) {
  log.fatal({ err: error }, 'tuner failed');
  process.exitCode = 1;
}

function configOrExit(): TunerConfig {
  try {
    return readConfig(process.env);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(2);
  }
}

async function run({ job, ...settings }: TunerConfig): Promise<void> {
  const { bucket, region, endpoint, queue: queueUrl, workDir, backbone, models } = settings;
  const storage = createStorage({ bucket, region, ...(endpoint ? { endpoint } : {}) });
  const queue = storage.queue(queueUrl, JobMessage);
  const registry = createRegistry({
    storage,
    queue,
    maxAttempts: settings.maxAttempts,
    leaseMs: settings.leaseSeconds * 1000,
  });
  const deps = {
    registry,
    queue,
    backbones: orStored(localBackbones({ models, ...(backbone ? { folder: backbone } : {}) }), {
      stored: registry.backbones,
      into: join(workDir, 'backbones'),
    }),
    workDir,
    log,
    signal: stop.signal,
    device: settings.device,
    threads: settings.threads,
    checkpointSeconds: settings.checkpointSeconds,
    idleSeconds: settings.idleSeconds,
  };
  await sweepWorkDirs(workDir);
  log.info({ bucket, endpoint, job }, 'tuner started');
  try {
    await (job ? runJobOnce(messageOf(job), deps) : runTuner(deps));
  } finally {
    await registry.close();
    storage.close();
  }
  log.info('tuner ended');
}

function messageOf(job: string): JobMessage {
  const [tenant = '', jobId = ''] = job.split('/');
  return { tenant, jobId };
}

function end(reason: string): void {
  if (stop.signal.aborted) return;
  log.info({ reason }, 'tuner ends');
  stop.abort();
  // A thread that computes cannot be ended from outside without crashing the process, so the last resort is the
  // one that the next worker can cope with anyway.
  const last = setTimeout(() => {
    log.fatal('the time to end is over');
    process.kill(process.pid, 'SIGKILL');
  }, config.graceSeconds * 1000);
  last.unref();
}
