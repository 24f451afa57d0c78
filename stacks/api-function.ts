/// <reference path="../.sst/platform/config.d.ts" />
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Api, adminKey, apiEnvironment } from './api.ts';
import { functionOptions } from './function.ts';
import { apiMay } from './permissions.ts';
import type { Jobs } from './queues.ts';
import type { Architecture, FunctionSettings, StageSettings } from './settings.ts';
import type { State } from './storage.ts';

/** Written by `npm run build:lambda`: the entry, native modules for Lambda, perhaps a backbone. */
const BUNDLE = 'dist/api';

interface Input {
  readonly settings: StageSettings;
  readonly api: FunctionSettings;
  readonly state: State;
  readonly jobs: Jobs;
}

/** The API as a function behind a URL that streams. */
export function apiFunction({ settings, api, state, jobs }: Input): Api {
  assertBuilt(api.architecture, settings.backbone);
  const logs = new aws.cloudwatch.LogGroup('ApiLogs', { retentionInDays: settings.logDays });
  const { maxInstances } = api;
  const fn = new sst.aws.Function('Api', {
    bundle: BUNDLE,
    handler: 'lambda.handler',
    runtime: 'nodejs24.x',
    architecture: api.architecture,
    memory: `${api.memoryMb} MB`,
    storage: `${api.diskMb} MB`,
    timeout: `${api.timeoutSeconds} seconds`,
    streaming: true,
    // The API checks its own keys, as the clients that people have expect; it answers browsers of its
    // own origin alone.
    url: { authorization: 'none', cors: false },
    ...(maxInstances === undefined ? {} : { concurrency: { reserved: maxInstances } }),
    environment: {
      ...apiEnvironment({ settings, state, jobs }),
      // Lambda keeps it encrypted.
      POLYPROMPT_KEY: adminKey().value,
    },
    ...functionOptions(logs, apiMay({ state, jobs })),
  });
  return {
    url: fn.url,
    watched: { host: 'lambda', functionName: fn.name },
  };
}

/** What a function would only find out when it starts. */
function assertBuilt(architecture: Architecture, backbone: string): void {
  const exists = (path: string) => existsSync(join($cli.paths.root, path));
  const arch = architecture === 'arm64' ? 'arm64' : 'x64';
  const native = `node_modules/onnxruntime-node/bin/napi-v6/linux/${arch}`;
  if (!exists(`${BUNDLE}/lambda.mjs`) || !exists(`${BUNDLE}/${native}`)) {
    throw new Error(
      `${BUNDLE} is not built for ${architecture}; run: npm run build:lambda -- --arch ${arch}`,
    );
  }
  // Others come from the bucket.
  const model = `models/${backbone}`;
  if (exists(model) && !exists(`${BUNDLE}/${model}`)) {
    throw new Error(
      `${BUNDLE} does not hold ${backbone}; run: npm run build:lambda -- --arch ${arch} --backbone ${model}`,
    );
  }
}
