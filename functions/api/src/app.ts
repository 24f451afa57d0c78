/** The API as a Hono application: the contract's routes over what it is given. */
import type { Hono } from 'hono';
import { Registry as Metrics } from 'prom-client';
import type { Caller, Handlers } from './call.ts';
import { DataChecks } from './check/check-data.ts';
import { API_LIMITS, type AppDeps } from './deps.ts';
import { HeldBytes } from './http/held-bytes.ts';
import { createInferenceMetrics } from './metrics.ts';
import { mountRoutes } from './mount.ts';
import { createObserver } from './observe.ts';
import { fileHandlers } from './routes/files.ts';
import { jobHandlers } from './routes/jobs.ts';
import { keyHandlers } from './routes/keys.ts';
import { inferenceHandlers } from './routes/models.ts';
import { modelHandlers } from './routes/openai-models.ts';
import { promptHandlers } from './routes/prompts.ts';
import { systemHandlers } from './routes/system.ts';
import { usageHandlers } from './routes/usage.ts';

/**
 * Makes the application; it listens nowhere yet.
 * @example
 * const app = createApp({ registry, engine, backbone, logger, version: '1.0.0' });
 * const response = await app.request('/health');
 */
export function createApp(deps: AppDeps): Hono {
  const { registry, engine, logger, metrics = new Metrics(), now = Date.now } = deps;
  const inferenceMetrics = createInferenceMetrics(metrics, () => engine.stats());
  const limits = { ...API_LIMITS, ...deps.limits };
  const checks = new DataChecks();
  // Half of it must have room for a file that may be checked.
  const held = new HeldBytes(Math.max(limits.heldBytes, 2 * limits.checkBytes));
  const handlers: Handlers = {
    ...inferenceHandlers(deps, inferenceMetrics),
    ...fileHandlers(registry, { checks, held, limits, now }),
    ...jobHandlers(deps, { checks, held, checkBytes: limits.checkBytes }),
    ...modelHandlers(deps),
    ...promptHandlers(deps, held),
    ...keyHandlers(registry, now),
    ...usageHandlers(registry),
    ...systemHandlers(deps, metrics),
  };
  return mountRoutes({
    handlers,
    authenticate: async (secret): Promise<Caller | undefined> => {
      const key = await registry.keys.authenticate(secret);
      return key && { keyId: key.id, tenant: key.tenant, scopes: key.scopes };
    },
    observer: createObserver({ logger, metrics }),
    held,
  });
}
