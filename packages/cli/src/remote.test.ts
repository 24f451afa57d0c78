/** The commands about a service, each as a process of its own, on a real service that `serve` started. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { openBackbone } from '@polyprompt/backbone';
import type { FineTuningJob } from '@polyprompt/contract';
import { writePrompt } from '@polyprompt/prompts';
import { EMPTY_DETAILS, type TinyPromptOptions, tinyPrompt } from '@polyprompt/prompts/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { cli, type Finished, finished, jsonLines, makeWorld, rows, start } from './testing/cli.ts';

// Dozens of processes, one after the other, on a machine that may have other work.
const PATIENCE_MS = 300_000;
vi.setConfig({ testTimeout: PATIENCE_MS, hookTimeout: PATIENCE_MS });

const KEY = 'a-key-for-tests';
const world = makeWorld();
const backbone = world.backbone('tiny');
const train = world.file('train.jsonl', jsonLines(rows(64)));
const dev = world.file('dev.jsonl', jsonLines(rows(80).slice(64)));
const bad = world.file('bad.jsonl', `${jsonLines(rows(8))}{"text":"rain"}\n`);
// Minutes of training, so that however slow this machine is, the job is still there to be paused.
const long = world.file('long.jsonl', jsonLines(rows(4000)));
const SETTINGS = '--length 3 --lr 0.05 --batch-size 8 --patience 0'.split(' ');

let service: ChildProcess;
let ended: Promise<Finished>;
let env: Record<string, string>;

beforeAll(async () => {
  const home = world.path('home');
  service = start(['serve', '--port', '0', '--home', home, '--backbone', backbone, '--key', KEY], {
    POLYPROMPT_LOG_LEVEL: 'error',
    POLYPROMPT_THREADS: '1',
    // Too little for the training data, which then goes past the API.
    POLYPROMPT_UPLOAD_BYTES: '1500',
  });
  const lines = createInterface(service.stdout!);
  ended = finished(service);
  for await (const line of lines) {
    const [url] = /http:\/\/localhost:\d+/.exec(line) ?? [];
    if (url === undefined) continue;
    env = { POLYPROMPT_URL: `${url}/`, POLYPROMPT_KEY: KEY };
    break;
  }
});
afterAll(async () => {
  service.kill('SIGKILL');
  await ended;
  world.remove();
});

/** A command line that succeeds. @returns its standard output */
async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(args, { env });
  expect(code, `${args.join(' ')}: ${stderr}`).toBe(0);
  return stdout;
}

async function json<T>(...args: string[]): Promise<T> {
  return JSON.parse(await done(...args, '--json')) as T;
}

/** A command line that fails with one message. */
async function refused(code: number, message: RegExp, ...args: string[]): Promise<void> {
  const result = await cli(args, { env });
  expect(result.stderr).toMatch(message);
  expect(result.stderr).not.toMatch(/^\s+at /m);
  expect(result.code).toBe(code);
}

const cells = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));

describe('files', () => {
  let ids: string[];

  it('are uploaded, whatever the API itself takes, and listed', async () => {
    const files = await json<{ id: string; bytes: number }[]>('files', 'upload', train, dev);
    ids = files.map(({ id }) => id);
    expect(files.map(({ bytes }) => bytes)).toEqual(
      [train, dev].map((f) => readFileSync(f).length),
    );
    const [head, newest, ...older] = cells(await done('files', 'list', '--limit', '1'));
    expect(head).toEqual(['id', 'name', 'bytes', 'status', 'created (UTC)']);
    expect(newest!.slice(1, 4)).toEqual(['dev.jsonl', '944', 'processed']);
    expect(older).toEqual([]);
    expect(await done('files', 'show', ids[0]!)).toMatch(/^name +train\.jsonl$/m);
  });

  it('are checked, here or there', async () => {
    expect(await done('files', 'validate', ids[0]!)).toMatch(/^examples +64$/m);
    const message = /bad\.jsonl, line 9: error: .*\[missing_label\]\n.*1 error in all/;
    await refused(1, message, 'files', 'validate', bad);
    const tagged = (offset: number) => {
      const row = { text: '🙂 Oslo', entities: [{ start: offset, end: offset + 4, label: 'LOC' }] };
      return world.file(`tagged-${offset}.jsonl`, jsonLines(Array(20).fill(row)));
    };
    const check = ['files', 'validate', '--task', 'token-classification'];
    expect(await done(...check, tagged(2))).toMatch(/^valid +yes$/m);
    await refused(1, /not in the text/, ...check, tagged(3));
    expect(await done(...check, tagged(3), '--offset-unit', 'utf16')).toMatch(/^valid +yes$/m);
    const tags = world.file('train.conll', 'the O\nrain B-SKY\n\nthe O\nsnow I-SKY\n\n'.repeat(9));
    expect(await done(...check, tags)).toMatch(/^warnings +9$/m);
    await refused(1, /line 5: error/, ...check, tags, '--invalid-tags', 'refuse');
  });

  it('come back as they were, and not over another file', async () => {
    const out = world.path('download.jsonl');
    await done('files', 'download', ids[0]!, '--out', out);
    expect(readFileSync(out, 'utf8')).toBe(readFileSync(train, 'utf8'));
    await refused(2, /exists already/, 'files', 'download', ids[1]!, '--out', out);
  });

  it('are deleted', async () => {
    await done('files', 'delete', ...ids);
    await refused(1, /no file "file-/, 'files', 'show', ids[0]!);
  });
});

describe('jobs', () => {
  const create = ['jobs', 'create', '--name', 'weather', ...SETTINGS];

  it('train on local files and are followed to their end', async () => {
    const data = ['--train', train, '--dev', dev, '--epochs', '30', '--metadata', 'a=b'];
    const lines = (await done(...create, ...data, '--follow', '--json')).trim().split('\n');
    const [job, ...events] = lines.map((line) => JSON.parse(line)).reverse();
    expect(job).toMatchObject({
      object: 'fine_tuning.job',
      status: 'succeeded',
      fine_tuned_model: 'ft:tiny:default:weather:1',
      metadata: { a: 'b' },
    });
    expect(events.length).toBeGreaterThan(3);
    expect(events.every(({ object }) => object === 'fine_tuning.job.event')).toBe(true);

    const again = await cli(['jobs', 'follow', job.id], { env });
    expect(again).toMatchObject({ code: 0, stdout: await done('jobs', 'show', job.id) });
    expect(again.stderr).toMatch(/^Step \d+: validation loss=.*, accuracy=1 \(best so far\)$/m);
    expect(cells(await done('jobs', 'list'))[1]!.slice(0, 3)).toEqual([
      job.id,
      'succeeded',
      'ft:tiny:default:weather:1',
    ]);
  });

  it('try candidates, and are refused before they begin', async () => {
    const data = [...create, '--train', train, '--dev', dev, '--epochs', '2'];
    const lists = ['--candidates', 'batch-size=4,8;lr=1e-6,5e-2', '--follow', '--json'];
    const lines = (await done(...data, ...lists)).trim().split('\n');
    const [job, ...events] = lines.map((line) => JSON.parse(line)).reverse();
    expect(job).toMatchObject({
      status: 'succeeded',
      prompt: { candidates: { learning_rate: [1e-6, 5e-2], batch_size: [4, 8] } },
    });
    const told = events.map(({ message }) => message as string);
    expect(told).toContainEqual(expect.stringMatching(/^The best of 4 candidates is lr=0\.05 /));
    const followed = await cli(['jobs', 'follow', job.id], { env });
    expect(followed.stderr).toMatch(/^Step \d+ of lr=0\.05 batch-size=4: validation loss/m);
    await refused(2, /"rate" is none of lr, seed/, ...data, '--candidates', 'rate=1');
    await refused(
      1,
      /candidate seed=1 warmup=3: warmup is 3/,
      ...data,
      '--candidates',
      'seed=1;warmup=3',
    );
    await refused(1, /known are default, tu2022-xnli/, ...data, '--recipe', 'magic');
  });

  it('continue from a version', async () => {
    const data = [...create, '--train', train, '--dev', dev, '--epochs', '1'];
    const ended = async (...more: string[]) => {
      const lines = await done(...data, ...more, '--quiet', '--follow', '--json');
      return JSON.parse(lines.trim().split('\n').at(-1)!) as FineTuningJob;
    };
    const shape = ['--pooling', 'first', '--reparameterise', '8'];
    expect(await ended('--name', 'parent', ...shape)).toMatchObject({
      status: 'succeeded',
      prompt: { pooling: 'first', reparameterise: 8 },
    });
    expect(await ended('--name', 'child', '--from', 'parent@1')).toMatchObject({
      status: 'succeeded',
      prompt: { from: 'ft:tiny:default:parent:1' },
    });
    await refused(2, /--pooling <rule>.*Allowed choices/, ...data, '--pooling', 'best');
    await refused(1, /nobody/, ...data, '--from', 'nobody');
  });

  it('are paused, resumed, left alone and cancelled', async () => {
    const data = ['--train', long, '--epochs', '50', '--batch-size', '1', '--quiet'];
    const { id } = await json<FineTuningJob>(...create, ...data);
    const watched = async () => {
      const child = start(['jobs', 'follow', id, '--json'], env);
      const end = finished(child);
      for await (const line of createInterface(child.stdout!)) {
        if (line.includes('"type":"metrics"')) return { child, end };
      }
      throw new Error('the job ended early');
    };
    const watching = await watched();
    await done('jobs', 'pause', id);
    await expect
      .poll(async () => (await json<FineTuningJob>('jobs', 'show', id)).status, {
        timeout: PATIENCE_MS,
      })
      .toBe('paused');
    const left = await watched();
    left.child.kill('SIGINT');
    const { code, stderr } = await left.end;
    expect([code, stderr]).toEqual([130, expect.stringContaining(`jobs follow ${id}`)]);

    expect(await done('jobs', 'resume', id)).toMatch(/^ftjob-\S+ {2}(queued|running)\n$/);
    await done('jobs', 'cancel', id);
    const cancelled = await watching.end;
    expect(cancelled.code).toBe(1);
    expect(cancelled.stderr).toMatch(/has been cancelled/);
  });

  it('of mistakes are refused', async () => {
    await refused(2, /nowhere\.csv cannot be read/, 'jobs', 'create', '--train', 'nowhere.csv');
  });
});

describe('prompts', () => {
  it('answer as they do where they were exported to', async () => {
    const texts = ['the rain', 'is soup'];
    const remote = (await done('infer', 'weather@1', '--text', ...texts)).trim().split('\n');
    const tar = world.path('weather.tar');
    const adapter = world.path('adapter.tar');
    await done('prompts', 'export', 'weather@1', '--format', 'peft', '--out', adapter);
    expect(await done('prompts', 'import', adapter, '--name', 'zebra')).toBe('zebra@1\n');
    await done('prompts', 'export', 'weather@1', '--out', tar);
    const prompt = world.path('prompt');
    mkdirSync(prompt);
    execFileSync('tar', ['-xf', tar, '-C', prompt, '--strip-components=1']);
    const use = ['--prompt', prompt, '--backbone', backbone, '--threads', '1'];
    const local = (await done('predict', ...use, '--text', ...texts)).trim().split('\n');
    const [here, there] = [local, remote].map((lines) => lines.map((line) => JSON.parse(line)));
    expect(there!.map(({ label }) => label)).toEqual(['weather', 'food']);
    here!.forEach((answer, i) => {
      const { score, scores } = answer;
      expect(there![i]).toMatchObject({
        ...answer,
        score: expect.closeTo(score, 5),
        scores: [{}, {}],
      });
      expect(scores).toHaveLength(2);
    });
    const best = await json('infer', 'weather@1', '--text', 'the rain', '--top-k', '1');
    expect(best).toEqual({
      version: 'ft:tiny:default:weather:1',
      answers: [[{ label: 'weather', score: expect.any(Number) }]],
    });
  });

  it('of other tasks take their options, and answer by their own threshold of "no answer"', async () => {
    const opened = openBackbone(backbone);
    const fingerprint = await opened.fingerprint();
    const bring = async (name: string, options: Omit<TinyPromptOptions, 'backboneName'>) => {
      const prompt = tinyPrompt(opened.spec, fingerprint, { ...options, backboneName: 'tiny' });
      writePrompt(world.path(name), prompt, EMPTY_DETAILS);
      execFileSync('tar', ['-cf', world.path(`${name}.tar`), '-C', world.path(), name]);
      await done('prompts', 'import', world.path(`${name}.tar`));
    };
    const answering = { nullThreshold: -1000 };
    const labels = ['start', 'end'];
    await bring('x-qa', { seed: 3, task: 'question-answering', labels, answering });
    const ask = async (...more: string[]) => {
      const args = ['infer', 'x-qa', '--question', 'the rain', '--context', 'the snow is bread'];
      return JSON.parse(await done(...args, ...more));
    };
    expect((await ask()).answer).not.toBe('');
    expect(await ask('--handle-impossible')).toMatchObject({ answer: '', start: 0, end: 0 });
    expect((await ask('--null-threshold', '1000')).answer).not.toBe('');
    expect(
      (await ask('--top-k', '2', '--max-answer-tokens', '1', '--stride', '3')).answers,
    ).toHaveLength(2);
    await refused(
      1,
      /doc_stride is 500/,
      'infer',
      'x-qa',
      '--question',
      'a',
      '--context',
      'b',
      '--stride',
      '500',
    );

    await bring('x-tagger', { seed: 2, task: 'token-classification', labels: ['B-X', 'B-Y', 'O'] });
    const groups = async (...more: string[]) => {
      const args = [
        'infer',
        'x-tagger',
        '--text',
        'the rain is a soup cake',
        '--aggregation',
        'none',
      ];
      const { entities } = JSON.parse(await done(...args, ...more)) as {
        entities: { entity_group: string }[];
      };
      return new Set(entities.map(({ entity_group }) => entity_group));
    };
    const all = await groups('--ignore-labels', 'none');
    const [first] = all;
    expect(await groups('--ignore-labels', first!)).toEqual(
      new Set([...all].filter((each) => each !== first)),
    );
  });

  it('are imported, swapped, split and rolled back', async () => {
    const tar = world.path('weather.tar');
    for (const activate of [[], ['--activate', 'staging']]) {
      await done('prompts', 'import', tar, '--name', 'sky', ...activate);
    }
    const split = await done('prompts', 'alias', 'sky', 'production', '1=90', '2=10');
    expect(split).toBe('sky@production  1=90 2=10\n');
    expect(await done('prompts', 'show', 'sky')).toMatch(
      /^aliases +production 1=90 2=10, staging 2$/m,
    );
    expect(await done('prompts', 'rollback', 'sky')).toBe('sky@production  1\n');
    const history = cells(await done('prompts', 'history', 'sky'));
    expect(history[1]!.slice(2)).toEqual(['rollback', '-', 'production', '1=90 2=10', '1']);
    expect(cells(await done('prompts', 'versions', 'sky')).map((row) => row.slice(0, 2))).toEqual([
      ['version', 'aliases'],
      ['2', 'staging'],
      ['1', 'production'],
    ]);
    expect(await done('prompts', 'show', 'sky@staging')).toMatch(/^id +ft:tiny:default:sky:2$/m);
    const card = JSON.parse(await done('prompts', 'show', 'sky', '--card'));
    expect(card.labels).toEqual(['food', 'weather']);
  });

  it('are deleted only when nothing points to them', async () => {
    await refused(1, /alias/, 'prompts', 'delete', 'sky@2');
    await refused(2, /is an alias/, 'prompts', 'delete', 'sky@staging');
    await done('prompts', 'alias', 'sky', 'staging', '--delete');
    await done('prompts', 'delete', 'sky@2');
    const rows = cells(await done('prompts', 'list'));
    const weather = rows.find(([name]) => name === 'weather');
    expect(rows.map(([name]) => name)).toContain('sky');
    expect(weather![2]).toBe('production 1');
  });
});

describe('keys', () => {
  it('are made, limited and revoked', async () => {
    const secret = (await done('keys', 'create', '--name', 'web')).trim();
    const use = ['--key', secret];
    await refused(1, /has the scope infer; this needs admin/, 'keys', 'list', ...use);
    const keys = await json<{ id: string; name: string }[]>('keys', 'list');
    const { id } = keys.find(({ name }) => name === 'web')!;
    expect(JSON.stringify(keys)).not.toContain(secret);
    await done('keys', 'revoke', id);
    await refused(1, /unknown, expired or revoked/, 'prompts', 'list', ...use);
  });
});

describe('the service', () => {
  it('is named when it cannot be asked, and needs a key', async () => {
    const nobody = ['--url', 'http://127.0.0.1:9'];
    await refused(1, /127\.0\.0\.1:9 cannot be reached: .*; --url/, 'prompts', 'list', ...nobody);
    await refused(2, /http or https URL/, 'keys', 'list', '--url', 'localhost:8787');
    await refused(2, /--key or POLYPROMPT_KEY/, 'jobs', 'list', '--key', '');
  });

  it('is not started with a bad setting', async () => {
    const message = /^POLYPROMPT_PORT is "70000"; it must be a whole number from 0 to 65535$/m;
    await refused(2, message, 'serve', '--port', '70000');
  });

  it('shows all its settings, and ends in good order on SIGTERM', async () => {
    const help = await done('serve', '--help');
    expect(help).toMatch(/--port <port>.*POLYPROMPT_DEADLINE_MS \(default .*Exit codes:/s);
    service.kill('SIGTERM');
    expect((await ended).code).toBe(0);
    const { POLYPROMPT_URL: url = '' } = env;
    await expect(fetch(`${url}health`)).rejects.toThrow('fetch failed');
  });
});
