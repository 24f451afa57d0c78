/**
 * Two tenants, and every route of the API document: what belongs to one does not exist for the other.
 * The routes come from the document and each must say here how it is tried, so that a new one cannot be
 * forgotten.
 */
import { openApiDocument } from '@polyprompt/contract';
import { describe, expect, it } from 'vitest';
import { dataLines, startServer } from './setup.ts';

interface Operation {
  readonly operationId: string;
  readonly security: readonly unknown[];
}

const { paths } = openApiDocument('0') as {
  paths: Record<string, Record<string, Operation>>;
};
const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { operationId, security }]) => ({
    path,
    method: method.toUpperCase(),
    id: operationId,
    isPublic: security.length === 0,
  })),
);

const { registry, publish, key, url, checkedFetch } = await startServer();
const owner = await key('owner', 'admin');
const stranger = await key('stranger', 'admin');

/** Words that only things of the owner have. */
const NAME = 'private-prompt';
await publish('owner', NAME, { seed: 1 });
await publish('owner', NAME, { seed: 2 });
const body = (async function* () {
  yield Buffer.from(`${dataLines(20).join('\n')}\n`);
})();
const file = await registry.files.create('owner', {
  filename: 'private-file.jsonl',
  purpose: 'fine-tune',
  body,
});
const job = await registry.jobs.create(
  'owner',
  {
    backbone: 'tiny',
    trainingFile: file.id,
    validationFile: null,
    prompt: NAME,
    seed: 1,
    activate: null,
    metadata: {},
    hyperparameters: {},
    settings: { task: 'text-classification' },
  },
  { bodyHash: 'x' },
);
await registry.jobs.addEvent('owner', job.id, { level: 'info', message: 'private-event' });
const { key: other } = await registry.keys.create('owner', {
  name: 'private-key',
  scopes: ['infer'],
});
registry.usage.record('owner', NAME, { requests: 1 });
await registry.usage.flush();
const SECRETS = ['private-', file.id, job.id, other.id];

const VALUES: Record<string, string> = {
  model: NAME,
  file_id: file.id,
  job_id: job.id,
  name: NAME,
  version: '2',
  alias: 'production',
  key_id: other.id,
};
/** Bodies of the operations that need one. */
const BODIES: Record<string, unknown> = {
  infer: { inputs: 'the rain' },
  invoke: { inputs: 'the rain', model: NAME },
  predict: { inputs: 'the rain', model: NAME },
  inferRoot: { inputs: 'the rain', model: NAME },
  createFile: undefined,
  presignFile: { filename: 'x.jsonl', purpose: 'fine-tune', bytes: 10 },
  validateFile: { file_id: file.id, task: 'text-classification' },
  createJob: { model: 'tiny', training_file: file.id },
  cancelJob: undefined,
  pauseJob: undefined,
  resumeJob: undefined,
  setAlias: { version: 2 },
  rollbackPrompt: {},
  importPrompt: undefined,
  createKey: { name: 'own', scopes: ['infer'] },
};
/** Operations that name nothing of anybody: they show or make what is the caller's own. */
const COLLECTIONS = [
  'createFile',
  'listFiles',
  'presignFile',
  'listJobs',
  'listModels',
  'listPrompts',
  'importPrompt',
  'createKey',
  'listKeys',
  'listUsage',
];

async function send(secret: string, method: string, path: string, id: string) {
  const response = await checkedFetch(url + path, {
    method,
    headers: { authorization: `Bearer ${secret}` },
    ...(BODIES[id] !== undefined && { body: JSON.stringify(BODIES[id]) }),
  });
  return { status: response.status, text: await response.text() };
}

const fill = (path: string) => path.replaceAll(/\{(\w+)\}/g, (_, name) => VALUES[name] ?? name);

describe('another tenant', () => {
  const guarded = operations.filter(({ isPublic }) => !isPublic);

  it('has as many routes to be kept out of as the document says', () => {
    expect(guarded.length).toBeGreaterThan(30);
    const parameters = guarded.flatMap(({ path }) =>
      [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!),
    );
    expect(parameters.filter((name) => !(name in VALUES))).toEqual([]);
    const writing = guarded.filter(({ method }) => method === 'POST' || method === 'PUT');
    expect(writing.filter(({ id }) => !(id in BODIES)).map(({ id }) => id)).toEqual([]);
  });

  it.each(guarded)('sees nothing through $id', async ({ id, method, path }) => {
    const { status, text } = await send(stranger, method, fill(path), id);
    if (COLLECTIONS.includes(id)) {
      for (const secret of SECRETS) expect(text).not.toContain(secret);
    } else {
      expect(status).toBe(404);
    }
  });

  it('sees nothing through references that name the owner', async () => {
    for (const reference of [`owner/${NAME}`, `ft:tiny:owner:${NAME}:1`]) {
      for (const [method, prefix, id] of [
        ['POST', '/models', 'infer'],
        ['GET', '/v1/models', 'retrieveModel'],
        ['DELETE', '/v1/models', 'deleteModel'],
      ] as const) {
        expect((await send(stranger, method, `${prefix}/${reference}`, id)).status).toBe(404);
      }
    }
  });

  it("gets the same words for what is the owner's and for what does not exist", async () => {
    const own = await send(stranger, 'GET', `/v1/models/owner%2F${NAME}`, '');
    const none = await send(stranger, 'GET', '/v1/models/owner%2Fnothing-such', '');
    const neutral = (text: string) => text.replaceAll(/private-prompt|nothing-such/g, 'x');
    expect(neutral(own.text)).toBe(neutral(none.text));
  });

  it('changed nothing for the owner', async () => {
    const reading = guarded.filter(({ method, path }) => method === 'GET' && path.includes('{'));
    for (const { id, method, path } of reading) {
      const { status } = await send(owner, method, fill(path), id);
      expect([id, status]).toEqual([id, 200]);
    }
    expect((await registry.jobs.get('owner', job.id)).wanted).toBe('run');
    const { aliases, versions } = await registry.prompts.get('owner', NAME);
    expect(aliases).toEqual({ production: { version: 1 } });
    expect(versions).toHaveLength(2);
    expect((await send(owner, 'GET', '/v1/keys', 'listKeys')).text).toContain(other.id);
  });
});
