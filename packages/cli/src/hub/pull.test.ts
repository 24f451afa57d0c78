import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fingerprintOf, openBackbone } from '@polyprompt/backbone';
import { type TinyBackboneOptions, writeTinyBackbone } from '@polyprompt/backbone/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { COMMIT, type HubRepo, startHub } from '../testing/hub-server.ts';
import { backboneId, parseHubId } from './hub-id.ts';
import { type PullOptions, pull } from './pull.ts';

function temporaryFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'polyprompt-hub-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function modelFiles(options: Partial<TinyBackboneOptions> = {}): Record<string, Uint8Array> {
  const dir = temporaryFolder();
  writeTinyBackbone(dir, { family: 'roberta', ...options });
  return Object.fromEntries(readdirSync(dir).map((name) => [name, readFileSync(join(dir, name))]));
}

/** A hub with the repository `acme/Tiny-Model`, and a way to pull it. */
async function world(repo: Partial<HubRepo> = {}) {
  const files: Readonly<Record<string, Uint8Array>> = repo.files ?? {
    ...modelFiles(),
    'README.md': Buffer.from('# hello'),
  };
  const hub = await startHub({ 'acme/Tiny-Model': { ...repo, files } });
  onTestFinished(() => hub.close());
  const folder = temporaryFolder();
  const out = join(folder, 'tiny-model');
  const get = (id = 'acme/Tiny-Model', more: Partial<PullOptions> = {}) =>
    pull(parseHubId(id), {
      out,
      endpoint: hub.url,
      retryMs: 1,
      cacheDir: join(folder, 'cache'),
      ...more,
    });
  return { hub, files, folder, out, get };
}

const rejection = (promise: Promise<unknown>): Promise<Error & { code: string }> =>
  promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error) => error,
  );

describe('pull', () => {
  it('brings the files that a backbone needs, and nothing else', async () => {
    const { hub, files, out, get } = await world();
    const seen: [number, number][] = [];
    const backbone = await get('acme/Tiny-Model', {
      onProgress: (done, total) => seen.push([done, total]),
    });
    expect(readdirSync(out).sort()).toEqual([
      'config.json',
      'hub.json',
      'model.safetensors',
      'tokenizer.json',
    ]);
    for (const name of ['config.json', 'model.safetensors', 'tokenizer.json']) {
      expect(readFileSync(join(out, name)).equals(files[name]!)).toBe(true);
    }
    expect(JSON.parse(readFileSync(join(out, 'hub.json'), 'utf8'))).toEqual({
      repo: 'acme/Tiny-Model',
      revision: 'main',
      commit: COMMIT,
      endpoint: hub.url,
    });
    expect(backbone.name).toBe('tiny-model');
    const total = ['config.json', 'model.safetensors', 'tokenizer.json'].reduce(
      (sum, name) => sum + files[name]!.length,
      0,
    );
    expect(seen.at(-1)).toEqual([total, total]);
    // All of one commit, though the branch may move meanwhile.
    expect(
      hub.requests
        .filter((path) => path.includes('/resolve/'))
        .every((path) => path.includes(COMMIT)),
    ).toBe(true);
  });

  it('brings shards with their index, at a revision, and not the pickles beside them', async () => {
    const files = { ...modelFiles({ shards: 3 }), 'pytorch_model.bin': Buffer.from('pickle') };
    const { out, get } = await world({ files, revisions: ['refs/pr/7'] });
    await get('acme/Tiny-Model@refs/pr/7');
    expect(readdirSync(out).filter((name) => name.endsWith('.safetensors'))).toHaveLength(3);
    expect(readdirSync(out)).not.toContain('pytorch_model.bin');
    expect(JSON.parse(readFileSync(join(out, 'hub.json'), 'utf8')).revision).toBe('refs/pr/7');
    expect(openBackbone(out).checkpoint.files).toHaveLength(3);
  });

  it('goes on in the middle when connections break', async () => {
    const { hub, files, out, get } = await world();
    hub.faults.cuts = [5000, 1, 0, 7000];
    await get();
    const ranges = hub.requests.filter((path) => / bytes=[1-9]/.test(path));
    expect(ranges.some((path) => path.endsWith('bytes=5000-'))).toBe(true);
    expect(readFileSync(join(out, 'model.safetensors')).equals(files['model.safetensors']!)).toBe(
      true,
    );
  });

  it('is taken up by the next call where the last one gave up', async () => {
    const { hub, files, folder, out, get } = await world();
    hub.faults.cuts = [5000, 0, 0, 0, 0];
    const error = await rejection(get());
    expect(error.code).toBe('hub_unreachable');
    expect(error.message).toMatch(/keeps breaking off at \d+ of \d+ bytes .*goes on there/);
    expect(existsSync(out)).toBe(false);
    const part = readdirSync(join(folder, 'tiny-model.part')).find((name) =>
      name.endsWith('.part'),
    )!;
    hub.requests.length = 0;
    await get();
    expect(
      hub.requests.some(
        (path) => path.includes(part.replace('.part', '')) && path.endsWith('bytes=5000-'),
      ),
    ).toBe(true);
    expect(hub.requests.some((path) => path.endsWith('config.json'))).toBe(false);
    expect(readFileSync(join(out, 'model.safetensors')).equals(files['model.safetensors']!)).toBe(
      true,
    );
  });

  it('starts anew where a part is of other content, and where a server knows no ranges', async () => {
    const { hub, files, out, get } = await world();
    mkdirSync(`${out}.part`);
    writeFileSync(join(`${out}.part`, 'model.safetensors.part'), Buffer.alloc(1000, 1));
    writeFileSync(join(`${out}.part`, 'model-00001-of-00002.safetensors'), 'of another model');
    await get();
    expect(readdirSync(out)).toHaveLength(4);
    rmSync(out, { recursive: true });
    hub.faults.ignoreRanges = true;
    hub.faults.cuts = [5000];
    await get();
    expect(readFileSync(join(out, 'model.safetensors')).equals(files['model.safetensors']!)).toBe(
      true,
    );
  });

  it.each(['model.safetensors', 'config.json'])(
    'refuses a %s that is not what the hub lists',
    async (name) => {
      const { hub, files, out, get } = await world();
      const altered = Buffer.from(files[name]!);
      altered[altered.length - 1] = altered.at(-1)! ^ 1;
      hub.faults.altered.set(name, altered);
      const error = await rejection(get());
      expect(error.code).toBe('bad_checksum');
      expect(error.message).toContain(name);
      expect(existsSync(out)).toBe(false);
      hub.faults.altered.clear();
      await get();
    },
  );

  it('waits for a hub that is busy, and says so when it stays so', async () => {
    const { hub, get } = await world();
    hub.faults.statuses = [503, 429, 500];
    await get();
    hub.faults.statuses = Array(5).fill(503);
    const error = await rejection(get('acme/Tiny-Model', { out: join(temporaryFolder(), 'x') }));
    expect([error.code, error.message]).toEqual([
      'hub_unreachable',
      expect.stringContaining('it answers 503'),
    ]);
    await hub.close();
    const gone = await rejection(get('acme/Tiny-Model', { out: join(temporaryFolder(), 'x') }));
    expect([gone.code, gone.message]).toEqual([
      'hub_unreachable',
      expect.stringContaining('ECONNREFUSED'),
    ]);
  });

  it.each<[string, Partial<HubRepo>, string, string | undefined, RegExp]>([
    [
      'a model that is not there',
      {},
      'acme/other',
      undefined,
      /no such model, or it is private.*HF_TOKEN/,
    ],
    ['with a token', {}, 'acme/other', 'hf_mine', /no such model/],
    [
      'a private one',
      { token: 'hf_secret' },
      'acme/Tiny-Model',
      undefined,
      /private.*set HF_TOKEN/,
    ],
    [
      'a gated one',
      { token: 'hf_secret', gated: true },
      'acme/Tiny-Model',
      'hf_mine',
      /accept them on its page.*HF_TOKEN may not/,
    ],
    [
      'a missing revision',
      {},
      'acme/Tiny-Model@v9',
      undefined,
      /Tiny-Model@v9: the model has no such branch, tag or commit/,
    ],
  ])('says what to do about %s', async (_, repo, id, token, message) => {
    const { out, get } = await world(repo);
    const error = await rejection(get(id, token ? { token } : {}));
    expect(error.code).toBe('hub_refused');
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('hf_');
    expect(existsSync(out)).toBe(false);
  });

  it('takes a private model with its token', async () => {
    const { out, get } = await world({ token: 'hf_secret' });
    await get('acme/Tiny-Model', { token: 'hf_secret' });
    expect(existsSync(out)).toBe(true);
  });

  it.each<
    [string, (files: Record<string, Uint8Array>) => Record<string, Uint8Array | undefined>, RegExp]
  >([
    [
      'pickles alone',
      () => ({ 'model.safetensors': undefined, 'pytorch_model.bin': Buffer.from('x') }),
      /pickles only.*save_pretrained/,
    ],
    ['no weights', () => ({ 'model.safetensors': undefined }), /no model.safetensors/],
    [
      'no tokenizer.json',
      () => ({ 'tokenizer.json': undefined }),
      /no tokenizer.json.*save_pretrained/,
    ],
    ['no config.json', () => ({ 'config.json': undefined }), /not a model/],
  ])('refuses a repository with %s before it downloads', async (_, change, message) => {
    const model = modelFiles();
    const files = Object.fromEntries(
      Object.entries({ ...model, ...change(model) }).filter(([, bytes]) => bytes),
    ) as Record<string, Uint8Array>;
    const { hub, get } = await world({ files });
    const error = await rejection(get());
    expect([error.code, error.message]).toEqual(['bad_backbone', expect.stringMatching(message)]);
    expect(hub.requests.some((path) => path.includes('/resolve/'))).toBe(false);
  });

  it('refuses a family that it does not know before the weights follow', async () => {
    const files = { ...modelFiles(), 'config.json': Buffer.from('{"model_type": "gpt2"}') };
    const { hub, get } = await world({ files });
    expect(await rejection(get())).toMatchObject({
      name: 'BackboneError',
      code: 'unknown_model_type',
    });
    expect(hub.requests.some((path) => path.includes('model.safetensors'))).toBe(false);
  });

  it('stops when asked, and keeps what it has', async () => {
    const { folder, out, get } = await world();
    const stop = new AbortController();
    const error = await rejection(
      get('acme/Tiny-Model', {
        signal: stop.signal,
        onProgress: (done) => done > 2000 && stop.abort(),
      }),
    );
    expect(error.name).toBe('AbortError');
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(join(folder, 'tiny-model.part')).length).toBeGreaterThan(0);
  });

  it('overwrites nothing', async () => {
    const { out, get } = await world();
    mkdirSync(out);
    expect((await rejection(get())).code).toBe('file_exists');
  });

  it('gives the fingerprint of the bytes, also where it was told the hashes', async () => {
    const { out, get } = await world({ files: modelFiles({ hidden: 128, layers: 4 }) });
    const backbone = await get();
    const fresh = await fingerprintOf(out, backbone.checkpoint.files, {
      cacheDir: temporaryFolder(),
    });
    expect(await backbone.fingerprint()).toBe(fresh);
  });
});

describe('the name of a model', () => {
  it('has an owner, and maybe a revision', () => {
    expect(parseHubId('FacebookAI/xlm-roberta-base')).toEqual({
      repo: 'FacebookAI/xlm-roberta-base',
      revision: undefined,
    });
    expect(parseHubId('bert-base-uncased@refs/pr/12')).toEqual({
      repo: 'bert-base-uncased',
      revision: 'refs/pr/12',
    });
    expect(backboneId('google-bert/Bert-Base')).toBe('bert-base');
  });

  it.each([
    '',
    'a/b/c',
    '../x',
    'a/..',
    'a/b@',
    'a/b@../x',
    'https://huggingface.co/a/b',
    'a b',
    'a/b@v1@v2',
  ])('is not %j', (text) => {
    expect(() => parseHubId(text)).toThrow(/OWNER\/NAME/);
  });
});
