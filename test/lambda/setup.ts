/** A bucket with a prompt in it, and what an instance needs to find it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBackbone } from '@polyprompt/backbone';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { startLocalCloud } from '@polyprompt/local-cloud';
import { packedTinyPrompt } from '@polyprompt/prompts/testing';
import { createRegistry, JobMessage } from '@polyprompt/registry';
import { createStorage } from '@polyprompt/storage';
import { afterAll } from 'vitest';

export interface Event {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly rawPath: string;
}

/** An event as Lambda hands it over, with a key and whatever else differs. */
export function recorded(name: string, secret?: string, changes: Partial<Event> = {}): Event {
  const file = join(import.meta.dirname, 'events', `${name}.json`);
  const event = JSON.parse(readFileSync(file, 'utf8')) as Event;
  const headers = {
    ...event.headers,
    ...(secret !== undefined && { authorization: `Bearer ${secret}` }),
    ...changes.headers,
  };
  return { ...event, ...changes, headers };
}

export async function startCloud() {
  const folder = mkdtempSync(join(tmpdir(), 'polyprompt-lambda-'));
  const backboneDir = join(folder, 'tiny');
  mkdirSync(backboneDir);
  const spec = writeTinyBackbone(backboneDir, {
    family: 'roberta',
    maxPositions: 64,
    words: ['rain', 'soup', 'the', 'is', 'a'],
    std: 0.2,
  });
  const cloud = await startLocalCloud({ dir: ':memory:' });
  const { endpoint, credentials } = cloud;
  const storage = createStorage({ bucket: 'state', endpoint, credentials });
  await storage.ensureBucket();
  const { url } = await storage.ensureQueue('jobs');
  const registry = createRegistry({ storage, queue: storage.queue(url, JobMessage) });
  const backbone = openBackbone(backboneDir, { cacheDir: folder });
  const prompt = packedTinyPrompt(spec, await backbone.fingerprint(), { seed: 1 });
  await registry.prompts.publish('acme', 'topics', prompt, { actor: 'test' });
  const { secret } = await registry.keys.create('acme', { name: 'key', scopes: ['admin'] });
  afterAll(async () => {
    await registry.close();
    storage.close();
    await cloud.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    folder,
    backboneDir,
    backbone,
    registry,
    secret,
    env: {
      POLYPROMPT_BUCKET: 'state',
      POLYPROMPT_QUEUE: url,
      POLYPROMPT_ENDPOINT: endpoint,
      POLYPROMPT_BACKBONE: backboneDir,
      POLYPROMPT_HOME: join(folder, 'home'),
      POLYPROMPT_LOG_LEVEL: 'warn',
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '1769',
    },
  };
}
