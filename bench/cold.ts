/**
 * npm run bench:cold: from the start of a process to its first answer, for the backbone that ships and for one of
 * XLM-R base's shape (random weights, a vocabulary padded to 250,002 words), as `npm start` and as the bundle for
 * Lambda. Files are in the page cache. RUNS is an environment variable. Target: 1.5 s for the large one.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { openBackbone } from '@polyprompt/backbone';
import { type LocalCloud, startLocalCloud } from '@polyprompt/local-cloud';
import { packedTinyPrompt } from '@polyprompt/prompts/testing';
import { createRegistry, JobMessage } from '@polyprompt/registry';
import { createStorage } from '@polyprompt/storage';
import { type Architecture, bundleApi } from '../tools/bundle/bundle.ts';
import { writeShape, XLMR_BASE } from './shapes.ts';

const RUNS = Number(process.env.RUNS ?? 5);
const ROOT = join(import.meta.dirname, '..');
const MINI = join(ROOT, 'models/polyprompt-mini');
const KEY = 'key-of-the-bench';
const PROMPT = 'cold';
const BODY = JSON.stringify({ inputs: 'Der Zug nach Wien hat zwei Stunden Verspätung.' });

/** Milliseconds: until the first answer, and where they went. */
interface Start {
  readonly total: number;
  readonly phases: Readonly<Record<string, number>>;
}

const folder = mkdtempSync(join(tmpdir(), 'polyprompt-cold-'));
try {
  const bundle = join(folder, 'bundle');
  await bundleApi({ out: bundle, arch: process.arch as Architecture, backbone: undefined });
  for (const backbone of [MINI, largeBackbone()]) await measure(backbone, bundle);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** 280 M parameters, and a tokenizer that takes as long to load as that of XLM-R. */
function largeBackbone(): string {
  const dir = join(folder, 'large');
  writeShape(dir, XLMR_BASE);
  const tokenizer = JSON.parse(readFileSync(join(MINI, 'tokenizer.json'), 'utf8'));
  const { vocab } = tokenizer.model as { vocab: [string, number][] };
  while (vocab.length < XLMR_BASE.vocab_size - 1) vocab.push([`▁never${vocab.length}`, -30]);
  writeFileSync(join(dir, 'tokenizer.json'), JSON.stringify(tokenizer));
  return dir;
}

async function measure(dir: string, bundle: string): Promise<void> {
  const backbone = openBackbone(dir);
  const name = basename(dir);
  console.log(`\n${name}, ${(backbone.parameters / 1e6).toFixed(0)} M parameters`);
  const home = join(folder, `home-${name}`);
  mkdirSync(home);
  const cloud = await prepared(join(home, 'cloud'), dir);
  await cloud.close();
  show('npm start, weights never hashed', [await nodeStart(home, dir)]);
  show('npm start', await repeat(() => nodeStart(home, dir)));
  const remote = await prepared(':memory:', dir);
  const env = {
    POLYPROMPT_BUCKET: 'polyprompt',
    POLYPROMPT_QUEUE: `${remote.endpoint}/queue`,
    POLYPROMPT_ENDPOINT: remote.endpoint,
    POLYPROMPT_HOME: home,
    POLYPROMPT_BACKBONE: dir,
    AWS_ACCESS_KEY_ID: remote.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: remote.credentials.secretAccessKey,
  };
  show('Lambda bundle', await repeat(() => lambdaStart(bundle, env)));
  await remote.close();
}

async function repeat(start: () => Promise<Start>): Promise<Start[]> {
  const starts: Start[] = [];
  for (let run = 0; run < RUNS; run++) starts.push(await start());
  return starts;
}

/** A store with a key and a prompt for the backbone in it. */
async function prepared(dir: string, backboneDir: string): Promise<LocalCloud> {
  const cloud = await startLocalCloud({ dir });
  const { endpoint, credentials } = cloud;
  const storage = createStorage({ bucket: 'polyprompt', endpoint, credentials });
  await storage.ensureBucket();
  const { url } = await storage.ensureQueue('polyprompt-jobs');
  const registry = createRegistry({ storage, queue: storage.queue(url, JobMessage) });
  const backbone = openBackbone(backboneDir, { cacheDir: join(folder, 'hashes') });
  const prompt = packedTinyPrompt(backbone.spec, await backbone.fingerprint(), {
    seed: 1,
    length: 16,
    backboneName: backbone.name,
  });
  await registry.prompts.publish('default', PROMPT, prompt, { actor: 'bench' });
  await registry.keys.ensure(KEY, { tenant: 'default', name: 'bench', scopes: ['admin'] });
  await registry.close();
  storage.close();
  return cloud;
}

async function nodeStart(home: string, backbone: string): Promise<Start> {
  const port = await freePort();
  const begun = performance.now();
  const child = spawn(process.execPath, [join(ROOT, 'functions/api/src/node.ts')], {
    env: {
      PATH: process.env.PATH,
      POLYPROMPT_HOME: home,
      POLYPROMPT_BACKBONE: backbone,
      POLYPROMPT_PORT: String(port),
      POLYPROMPT_KEY: KEY,
      POLYPROMPT_TUNER: 'off',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const log = collect(child);
  const total = await firstAnswer(port, begun);
  child.kill('SIGTERM');
  await once(child, 'exit');
  return startOf(total, log());
}

/** Asks until the port is open; from then on the service keeps the request until it can answer. */
async function firstAnswer(port: number, begun: number): Promise<number> {
  const headers = { authorization: `Bearer ${KEY}` };
  for (;;) {
    try {
      const url = `http://127.0.0.1:${port}/models/${PROMPT}`;
      const response = await fetch(url, { method: 'POST', headers, body: BODY });
      const text = await response.text();
      if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
      return performance.now() - begun;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

async function lambdaStart(bundle: string, env: Record<string, string>): Promise<Start> {
  const support = join(ROOT, 'test/lambda');
  for (const file of ['runtime.ts', 'bundle-child.ts'])
    cpSync(join(support, file), join(bundle, file));
  const event = JSON.parse(readFileSync(join(support, 'events/infer.json'), 'utf8'));
  const begun = performance.now();
  const child = fork(join(bundle, 'bundle-child.ts'), [join(bundle, 'lambda.mjs')], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const log = collect(child);
  await once(child, 'message');
  const headers = { ...event.headers, authorization: `Bearer ${KEY}` };
  child.send({ ...event, rawPath: `/models/${PROMPT}`, headers, body: BODY });
  const [{ statusCode, text }] = await once(child, 'message');
  const total = performance.now() - begun;
  if (statusCode !== 200) throw new Error(`${statusCode}: ${text}`);
  child.kill('SIGKILL');
  await once(child, 'exit');
  return startOf(total, log());
}

function startOf(total: number, log: string): Start {
  const lines = log.split('\n').filter((line) => line.startsWith('{'));
  const started = lines
    .map((line) => JSON.parse(line) as { msg: string; ms: Start['phases'] })
    .find(({ msg }) => / started$/.test(msg));
  if (!started) throw new Error(`no line about the start in the log:\n${log}`);
  const known = Object.values(started.ms).reduce((sum, ms) => sum + ms, 0);
  return { total, phases: { ...started.ms, 'spawn and first answer': Math.round(total - known) } };
}

function show(what: string, starts: readonly Start[]): void {
  const sorted = starts.toSorted((a, b) => a.total - b.total);
  const median = sorted[Math.floor((sorted.length - 1) / 2)]!;
  const seconds = (ms: number) => (ms / 1000).toFixed(2);
  const phases = Object.entries(median.phases).map(([name, ms]) => `${name} ${seconds(ms)}`);
  const range = `${seconds(sorted[0]!.total)} to ${seconds(sorted.at(-1)!.total)}`;
  console.log(`  ${what.padEnd(32)} ${seconds(median.total)} s (${range})  ${phases.join(', ')}`);
}

function collect({ stdout, stderr }: ChildProcess): () => string {
  let text = '';
  for (const stream of [stdout, stderr]) {
    stream?.on('data', (piece) => {
      text += piece;
    });
  }
  return () => text;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
