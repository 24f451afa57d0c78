/** The entry as people run it: processes, signals, files on disk. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import {
  FileList,
  JobList,
  type LabelScore,
  ModelList,
  TextClassificationResponse,
} from '@polyprompt/contract';
import { afterAll, describe, expect, it } from 'vitest';
import { runEntry, spawnService } from '../testing/spawned.ts';

const folder = mkdtempSync(join(tmpdir(), 'polyprompt-node-'));
const backbone = join(folder, 'tiny');
writeTinyBackbone(backbone, { family: 'roberta' });
const children = new Set<{ kill(signal: NodeJS.Signals): boolean }>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const ENV = { POLYPROMPT_PORT: '0', POLYPROMPT_TUNER: 'off', POLYPROMPT_BACKBONE: backbone };
const start = async (home: string, more: Record<string, string> = {}) => {
  const service = await spawnService({ ...ENV, POLYPROMPT_HOME: join(folder, home), ...more });
  children.add(service.child);
  return service;
};
const get = (url: string, key: string) =>
  fetch(url, { headers: { authorization: `Bearer ${key}` } }).then((response) => response.json());

describe('npm start', () => {
  it('shows a key and lines that work when pasted, and keeps everything over a restart', async () => {
    const shipped = { POLYPROMPT_BACKBONE: '' };
    const first = await start('pasted', shipped);
    const [, key = ''] = /shown this once: (\S+)/.exec(first.greeting) ?? [];
    const lines = first.greeting.split('\n').filter((line) => line.startsWith('curl '));
    expect(lines).toHaveLength(3);
    const outputs: string[] = [];
    for (const line of lines) {
      const { stdout } = await promisify(execFile)('bash', ['-ec', `${line} --fail`]);
      outputs.push(stdout);
    }
    const [[best]] = TextClassificationResponse.parse(JSON.parse(outputs[0]!)) as [LabelScore[]];
    expect(best!.label).toBe('food');
    const files = FileList.parse(await get(`${first.url}/v1/files`, key));
    expect(files.data[0]).toMatchObject({ filename: 'train.jsonl', status: 'processed' });
    const jobs = JobList.parse(await get(`${first.url}/v1/fine_tuning/jobs`, key));
    expect(jobs.data[0]).toMatchObject({ training_file: files.data[0]!.id });
    expect(await first.end('SIGTERM')).toBe(0);

    const second = await start('pasted', shipped);
    expect(second.greeting).not.toContain(key);
    expect(FileList.parse(await get(`${second.url}/v1/files`, key))).toEqual(files);
    expect(JobList.parse(await get(`${second.url}/v1/fine_tuning/jobs`, key))).toEqual(jobs);
    expect(await second.end('SIGINT')).toBe(0);
  });

  it('answers in int8 where the settings say so', async () => {
    const authorization = 'Bearer my-own-key';
    const scores = async (home: string, precision: string) => {
      const service = await start(home, {
        POLYPROMPT_BACKBONE: '',
        POLYPROMPT_KEY: 'my-own-key',
        POLYPROMPT_PRECISION: precision,
      });
      const response = await fetch(`${service.url}/models/topics`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ inputs: 'The soup needs salt, and the bread is fresh.' }),
      });
      const [labels] = TextClassificationResponse.parse(await response.json()) as [LabelScore[]];
      expect(await service.end('SIGTERM')).toBe(0);
      return labels;
    };
    const [int8, float32] = [await scores('int8', 'int8'), await scores('float32', '')];
    expect(int8[0]!.label).toBe('food');
    expect(int8[0]!.label).toBe(float32[0]!.label);
    expect(int8[0]!.score).toBeCloseTo(float32[0]!.score, 1);
    expect(int8).not.toEqual(float32);
  });

  it('takes a key of the caller, after a kill too', async () => {
    const key = { POLYPROMPT_KEY: 'my-own-key' };
    const first = await start('killed', key);
    expect(first.greeting).not.toContain('shown this once');
    expect(ModelList.parse(await get(`${first.url}/v1/models`, 'my-own-key')).data[0]!.id).toBe(
      'tiny',
    );
    expect(await first.end('SIGKILL')).toBeNull();
    const second = await start('killed', key);
    ModelList.parse(await get(`${second.url}/v1/models`, 'my-own-key'));
    expect(await second.end('SIGTERM')).toBe(0);
  });

  it('finishes what it took before it ends', async () => {
    const service = await start('graceful', { POLYPROMPT_KEY: 'my-own-key' });
    const pieces = Promise.withResolvers<void>();
    const line = Buffer.from('{"text":"a","label":"b"}\n');
    const form = ['--x', 'content-disposition: form-data; name="purpose"', '', 'fine-tune'];
    form.push('--x', 'content-disposition: form-data; name="file"; filename="a.jsonl"', '', '');
    const uploading = fetch(`${service.url}/v1/files`, {
      method: 'POST',
      duplex: 'half',
      headers: {
        authorization: 'Bearer my-own-key',
        'content-type': 'multipart/form-data; boundary=x',
      },
      body: new ReadableStream({
        async start(controller) {
          controller.enqueue(Buffer.from(form.join('\r\n')));
          controller.enqueue(line);
          await pieces.promise;
          controller.enqueue(Buffer.concat([line, Buffer.from('\r\n--x--\r\n')]));
          controller.close();
        },
      }),
    } as RequestInit);
    // A request that comes later and is answered shows that the first one has arrived.
    await get(`${service.url}/v1/models`, 'my-own-key');
    const ended = service.end('SIGTERM');
    const refused = () =>
      fetch(`${service.url}/health`).then(
        () => false,
        () => true,
      );
    while (!(await refused()));
    pieces.resolve();
    const file = (await (await uploading).json()) as { bytes: number };
    expect(file.bytes).toBe(2 * line.length);
    expect(await ended).toBe(0);
  });

  it('refuses to start with what cannot work, in one sentence', async () => {
    const running = await start('busy');
    const port = new URL(running.url).port;
    const run = (env: Record<string, string>) =>
      runEntry({ ...ENV, POLYPROMPT_HOME: mkdtempSync(join(folder, 'other-')), ...env });
    const cases: [Record<string, string>, number, RegExp][] = [
      [{ POLYPROMPT_PORT: 'x' }, 2, /^POLYPROMPT_PORT is "x"; it must be .* 65535\n$/],
      [{ POLYPROMPT_PORT: port }, 1, /^cannot listen on .*; POLYPROMPT_PORT chooses another\n$/],
      [{ POLYPROMPT_HOME: join(folder, 'busy') }, 1, /busy.*\n$/],
      [{ POLYPROMPT_BACKBONE: 'nothing' }, 1, /^POLYPROMPT_BACKBONE is "nothing"; .*\n$/],
    ];
    const results = await Promise.all(cases.map(([env]) => run(env)));
    results.forEach(({ err, code }, i) => {
      const [, wanted, message] = cases[i]!;
      expect([err, code]).toEqual([expect.stringMatching(message), wanted]);
      expect(err.trim().split('\n')).toHaveLength(1);
    });
    expect(await running.end('SIGTERM')).toBe(0);
  });

  it('prints help', async () => {
    expect(await runEntry({}, '--help')).toMatchObject({
      code: 0,
      out: expect.stringContaining('POLYPROMPT_PORT (default 8787)'),
    });
    expect(await runEntry({}, '--verbose')).toMatchObject({
      code: 2,
      err: expect.stringContaining('Usage'),
    });
  });
});
