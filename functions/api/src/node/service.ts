/** The running service: state, engine, HTTP server and tuner, started in order and ended in reverse. */
import { join } from 'node:path';
import { createEngine } from '@polyprompt/serving';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry as Metrics } from 'prom-client';
import { createApp } from '../app.ts';
import { type Config, EXAMPLES_FOLDER, READY_PROMPT_FOLDER, TUNER_ENTRY } from '../config.ts';
import { promptLoader } from '../prompt-key.ts';
import { describeBackbone, findBackbone } from './backbone.ts';
import { ensureAdminKey, ensureReadyPrompt } from './first-start.ts';
import { createGate } from './gate.ts';
import { greeting } from './greeting.ts';
import { listen } from './listen.ts';
import { openState } from './state.ts';
import { stopwatch } from './stopwatch.ts';
import { type Supervised, supervise } from './supervise.ts';
import { startSweeper } from './sweeper.ts';

export interface Service {
  readonly url: string;
  readonly greeting: string;
  /** Process id of the tuner, if it runs here. */
  readonly tunerPid: number | undefined;
  /** Ends the service; what it took is finished first, within the grace time of the settings. */
  close(): Promise<void>;
}

export interface ServiceOptions {
  readonly logger: Logger;
  readonly version: string;
  /** Called when a part dies that the service cannot do without. */
  readonly onFatal: (error: Error) => void;
}

/** @throws StartError, BackboneError, ServingError, StorageError, RegistryError: why it cannot start */
export async function startService(
  config: Config,
  { logger, version, onFatal }: ServiceOptions,
): Promise<Service> {
  const phases = stopwatch();
  const graceMs = config.graceSeconds * 1000;
  const gate = createGate({ version, waitMs: config.deadlineMs });
  const server = await listen(gate, config.host, config.port);
  const cleanUp = new AsyncDisposableStack();
  try {
    // The store opens while the backbone loads; only one that is not on this machine waits for it.
    const opening = openState(config, onFatal);
    cleanUp.defer(async () => (await opening.catch(() => undefined))?.close());
    const registryOf = async () => (await opening).registry;
    const backbone = await findBackbone(config.backbone, {
      folder: join(config.home, 'backbones'),
      stored: {
        fetch: async (id, options) => (await registryOf()).backbones.fetch(id, options),
      },
    });
    const { deadlineMs, pendingInputs, tenantInputs, cacheBytes, device, precision, threads } =
      config;
    const engine = createEngine({
      backboneDir: backbone.dir,
      backbone,
      load: async (key) => promptLoader(await registryOf())(key),
      device,
      limits: { deadlineMs, pendingInputs, tenantInputs, cacheBytes },
      ...(precision !== undefined && { precision }),
      ...(threads !== undefined && { threads }),
    });
    cleanUp.defer(() => engine.close());

    const closing = new AbortController();
    const metrics = new Metrics();
    collectDefaultMetrics({ register: metrics });
    const [state, served] = await Promise.all([
      opening,
      describeBackbone(backbone),
      engine.ready(),
    ]);
    const { registry } = state;
    phases.lap('backbone');
    const app = createApp({
      registry,
      engine,
      backbone: served,
      logger,
      version,
      defaultPrompt: config.defaultPrompt,
      metrics,
      limits: { uploadBytes: config.uploadBytes, checkBytes: config.checkBytes },
      closing: closing.signal,
    });
    const tuner =
      config.tuner === 'on'
        ? startTuner(config, state.environment, backbone.dir, logger)
        : undefined;
    cleanUp.defer(() => tuner?.stop(graceMs));
    const sweeper = startSweeper({ registry, everyMs: config.sweepMinutes * 60_000, logger });
    cleanUp.defer(() => sweeper.stop());
    // Last, because a key that is made is shown once: a start that fails must not have made it.
    const prompt = await ensureReadyPrompt(registry, served, READY_PROMPT_FOLDER);
    const secret = await ensureAdminKey(registry, config.key);
    gate.open(app);
    phases.lap('keys');
    logger.info({ port: server.port, ms: phases.ms }, 'service started');
    const host = ['127.0.0.1', '0.0.0.0', '::'].includes(config.host) ? 'localhost' : config.host;
    const url = `http://${host}:${server.port}`;
    return {
      url,
      greeting: greeting({
        url,
        backbone: served.id,
        secret,
        isNew: config.key === undefined,
        prompt,
        examples: EXAMPLES_FOLDER,
      }),
      get tunerPid() {
        return tuner?.pid;
      },
      async close() {
        closing.abort();
        await Promise.all([server.close(graceMs), tuner?.stop(graceMs)]);
        await cleanUp.disposeAsync();
      },
    };
  } catch (error) {
    await server.close(0);
    await cleanUp.disposeAsync();
    throw error;
  }
}

function startTuner(
  config: Config,
  state: Readonly<Record<string, string>>,
  backboneDir: string,
  logger: Logger,
): Supervised {
  const { POLYPROMPT_KEY: _, ...inherited } = process.env;
  return supervise({
    entry: TUNER_ENTRY,
    logger,
    environment: {
      ...inherited,
      ...state,
      POLYPROMPT_BACKBONE: backboneDir,
      POLYPROMPT_WORK: join(config.home, 'tuner'),
      POLYPROMPT_DEVICE: config.device,
      POLYPROMPT_LEASE_SECONDS: String(config.leaseSeconds),
      POLYPROMPT_MAX_ATTEMPTS: String(config.maxAttempts),
      POLYPROMPT_CHECKPOINT_SECONDS: String(config.checkpointSeconds),
      POLYPROMPT_LOG_LEVEL: config.logLevel,
      POLYPROMPT_GRACE_SECONDS: String(config.graceSeconds),
    },
  });
}
