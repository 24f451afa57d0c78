/** The backbone command as people run it, against a hub and a store on loopback. */
import {
  closeSync,
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { openBackbone } from '@polyprompt/backbone';
import { type LocalCloud, startLocalCloud } from '@polyprompt/local-cloud';
import { createStorage } from '@polyprompt/storage';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseStorePlace } from './backbones/store.ts';
import { cli, finished, makeWorld, start } from './testing/cli.ts';
import { startHub } from './testing/hub-server.ts';

const world = makeWorld();
const tiny = world.backbone('tiny');
const files = Object.fromEntries(
  readdirSync(tiny).map((name) => [name, readFileSync(join(tiny, name))]),
);
let hub: Awaited<ReturnType<typeof startHub>>;
let cloud: LocalCloud;
let env: Record<string, string>;

beforeAll(async () => {
  hub = await startHub({ 'acme/tiny-hub': { files } });
  cloud = await startLocalCloud({ dir: ':memory:' });
  const { endpoint, credentials } = cloud;
  const storage = createStorage({ bucket: 'models-bucket', endpoint, credentials });
  await storage.ensureBucket();
  storage.close();
  env = {
    HF_ENDPOINT: hub.url,
    POLYPROMPT_HOME: world.path('home'),
    POLYPROMPT_ENDPOINT: endpoint,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
});
afterAll(async () => {
  await hub.close();
  await cloud.close();
  world.remove();
});

const run = (...args: string[]) => cli(['backbone', ...args], { env });

describe('backbone', () => {
  it('pulls from the hub to where list, show and verify find it by name', async () => {
    const pulled = await run('pull', 'acme/tiny-hub');
    const dir = world.path('home', 'backbones', 'tiny-hub');
    expect(pulled).toMatchObject({ code: 0, stdout: `${dir}\n` });
    expect(pulled.stderr).toMatch(/acme\/tiny-hub at 1{12}: .* in 3 files\n(.* of .*\n)*$/);
    expect(await openBackbone(dir).fingerprint()).toBe(await openBackbone(tiny).fingerprint());

    const list = await run('list');
    expect(list.stdout).toMatch(/polyprompt-mini .*xlm-roberta/);
    expect(list.stdout).toMatch(/tiny-hub .*parameters, from acme\/tiny-hub@1{12}\n/);
    const { stdout } = await run('show', 'tiny-hub', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ name: 'tiny-hub', dir });
    const verified = await run('verify', 'tiny-hub', tiny);
    expect(verified.stdout).toMatch(/tiny-hub: sound {2}sha256:[0-9a-f]{64}\n.*tiny: sound/);
    expect(await run('pull', 'acme/tiny-hub')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('exists already'),
    });
  });

  it('says what the hub refuses, with the exit code of a failure', async () => {
    const refused = await run('pull', 'acme/none');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('HF_TOKEN') });
    expect(await run('pull', 'a/b/c')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('OWNER/NAME'),
    });
  });

  it('finds a weight that is no number, and a fingerprint that is another', async () => {
    const dir = world.path('damaged');
    cpSync(tiny, dir, { recursive: true });
    const ref = [...openBackbone(dir).checkpoint.tensors.values()][3]!;
    const file = openSync(ref.file, 'r+');
    writeSync(file, new Uint8Array(Float32Array.of(Number.NaN).buffer), 0, 4, ref.offset + 8);
    closeSync(file);
    const damaged = await run('verify', dir);
    expect(damaged.code).toBe(1);
    expect(damaged.stderr).toContain(`${ref.name}: the value at 2 is NaN or infinite`);
    const wanted = `sha256:${'0'.repeat(64)}`;
    const other = await run('verify', tiny, '--fingerprint', wanted);
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining(`not ${wanted}`) });
    expect(await run('verify', 'nowhere')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('polyprompt-mini'),
    });
  });

  it('pushes to a bucket, once', async () => {
    const pushed = await run('push', tiny, 's3://models-bucket');
    expect(pushed).toMatchObject({ code: 0, stdout: 's3://models-bucket/backbones/tiny\n' });
    expect(pushed.stderr).toContain('sent config.json, tokenizer.json, model.safetensors');
    expect((await run('push', tiny, 's3://models-bucket')).stderr).toContain(
      'everything was there already',
    );
    const named = await run('push', tiny, 's3://models-bucket/backbones/other');
    expect(named.stdout).toBe('s3://models-bucket/backbones/other\n');
    const { stdout } = await run('list', 's3://models-bucket', '--json');
    const fingerprint = await openBackbone(tiny).fingerprint();
    expect(JSON.parse(stdout)).toMatchObject([
      { name: 'other', fingerprint },
      { name: 'tiny', fingerprint },
    ]);

    const seconds = world.backbone('seconds', { seed: 7 });
    const taken = await run('push', seconds, 's3://models-bucket/backbones/tiny');
    expect(taken).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('has another backbone "tiny"'),
    });
    expect(
      (await run('push', seconds, 's3://models-bucket/backbones/tiny', '--replace')).code,
    ).toBe(0);
  });

  it('is interrupted in good order, and goes on', async () => {
    hub.faults.statuses = Array(5).fill(503);
    const out = world.path('later');
    const child = start(['backbone', 'pull', 'acme/tiny-hub', '--out', out], env);
    const result = finished(child);
    while (hub.faults.statuses.length > 3) await new Promise((resolve) => setTimeout(resolve, 10));
    child.kill('SIGINT');
    expect(await result).toMatchObject({
      code: 130,
      stderr: expect.stringContaining('the same command goes on'),
    });
    hub.faults.statuses = [];
    expect(existsSync(out)).toBe(false);
    expect((await run('pull', 'acme/tiny-hub', '--out', out)).code).toBe(0);
  });
});

describe('the place in a bucket', () => {
  it('is the folder that the service looks in', () => {
    const plain = { bucket: 'my-bucket', id: undefined };
    for (const text of [
      's3://my-bucket',
      's3://my-bucket/',
      's3://my-bucket/backbones',
      's3://my-bucket/backbones/',
    ])
      expect(parseStorePlace(text)).toEqual(plain);
    expect(parseStorePlace('s3://my-bucket/backbones/xlm-r')).toEqual({
      bucket: 'my-bucket',
      id: 'xlm-r',
    });
  });

  it.each([
    'my-bucket',
    's3://',
    's3://b',
    's3://my-bucket/models',
    's3://my-bucket/backbones/a/b',
    's3://my-bucket/backbones/..',
    's3://my-bucket/backbones/XLM',
  ])('is not %s', (text) => {
    expect(() => parseStorePlace(text)).toThrow(/s3:\/\/BUCKET|must be/);
  });
});
