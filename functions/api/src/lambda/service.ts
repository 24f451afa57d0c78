/** The service of one Lambda instance: loaded once, asked by one request at a time, frozen in between. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRegistry, JobMessage } from '@polyprompt/registry';
import { createEngine } from '@polyprompt/serving';
import { createStorage } from '@polyprompt/storage';
import type { Hono } from 'hono';
import type { Logger } from 'pino';
import { createApp } from '../app.ts';
import { type Config, ConfigError, readConfig } from '../config.ts';
import { describeBackbone } from '../node/backbone.ts';
import { ensureAdminKey } from '../node/first-start.ts';
import { stopwatch } from '../node/stopwatch.ts';
import { promptLoader } from '../prompt-key.ts';
import { withinInvocation } from './invocation.ts';
import { openServedBackbone } from './served-backbone.ts';

export interface LambdaService {
  readonly app: Hono;
  /** Stores what is only in memory; an instance that is frozen may never run again. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export interface LoadOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  /** Where the bundle lies: `package.json`, `models/`. @default the folder of the running module */
  readonly root?: string;
}

/** An event has 6 MB at most, of which a third is the base64 of the body. */
const MAX_UPLOAD_BYTES = 4 * 1024 ** 2;
/** A processor for every so many MB of memory. */
const MB_PER_CPU = 1769;

/** @throws ConfigError, StartError, BackboneError, RegistryError, StorageError, ServingError: why it cannot start */
export async function loadService({
  env,
  logger,
  root = import.meta.dirname,
}: LoadOptions): Promise<LambdaService> {
  const phases = stopwatch();
  const config = readConfig(env);
  const { bucket, queue, region, endpoint } = config;
  if (bucket === undefined) throw needed('POLYPROMPT_BUCKET', 'the bucket of all state');
  if (!/^https?:/.test(queue)) throw needed('POLYPROMPT_QUEUE', 'the URL of the job queue');
  logger.level = config.logLevel;
  const storage = createStorage({ bucket, region, ...(endpoint !== undefined && { endpoint }) });
  const registry = createRegistry({
    storage,
    queue: storage.queue(queue, JobMessage),
    readAhead: false,
    tenantJobs: config.tenantJobs,
  });
  const backbone = await openServedBackbone(config, root, registry);
  const engine = createEngine({
    backboneDir: backbone.dir,
    backbone,
    load: promptLoader(registry),
    device: 'cpu',
    ...(config.precision !== undefined && { precision: config.precision }),
    limits: limitsOf(config),
    ...threadsOf(config, env),
  });
  const [served] = await Promise.all([
    describeBackbone(backbone),
    engine.ready(),
    config.key === undefined ? undefined : ensureAdminKey(registry, config.key),
  ]);
  phases.lap('backbone');
  logger.info({ ms: phases.ms }, 'instance started');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const app = createApp({
    registry,
    engine: withinInvocation(engine, config.deadlineMs),
    backbone: served,
    logger,
    version,
    defaultPrompt: config.defaultPrompt,
    limits: {
      uploadBytes: Math.min(config.uploadBytes, MAX_UPLOAD_BYTES),
      checkBytes: config.checkBytes,
    },
  });
  return {
    app,
    settle: () =>
      registry.usage.flush().catch((err) => logger.error({ err }, 'usage could not be stored')),
    async close() {
      await engine.close();
      await registry.close();
      storage.close();
    },
  };
}

function limitsOf({ deadlineMs, pendingInputs, tenantInputs, cacheBytes }: Config) {
  return { deadlineMs, pendingInputs, tenantInputs, cacheBytes };
}

/** More threads than processors would wait for each other. */
function threadsOf({ threads }: Config, env: LoadOptions['env']): { threads?: number } {
  if (threads !== undefined) return { threads };
  const memoryMb = Number(env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE);
  return memoryMb > 0 ? { threads: Math.max(1, Math.round(memoryMb / MB_PER_CPU)) } : {};
}

function needed(name: string, what: string): ConfigError {
  return new ConfigError(`${name} must be ${what} on Lambda`);
}
