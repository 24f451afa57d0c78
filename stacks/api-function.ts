/// <reference path="../.sst/platform/config.d.ts" />
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Api, adminKey, apiEnvironment } from './api.ts';
import { functionOptions } from './function.ts';
import { apiMay } from './permissions.ts';
import type { Jobs } from './queues.ts';
import type { FunctionSettings, StageSettings } from './settings.ts';
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
  if (!existsSync(join($cli.paths.root, BUNDLE, 'lambda.mjs'))) {
    throw new Error(`${BUNDLE} has no lambda.mjs; run: npm run build:lambda`);
  }
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
