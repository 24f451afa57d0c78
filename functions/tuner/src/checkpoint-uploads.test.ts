import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { CheckpointUploads } from './checkpoint-uploads.ts';

function setUp() {
  const folder = mkdtempSync(join(tmpdir(), 'polyprompt-uploads-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'checkpoint');
  const replace = (text: string) => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };
  const stored: [info: number, text: string][] = [];
  const errors: unknown[] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  const uploads = new CheckpointUploads<number>({
    path,
    onError: (error) => errors.push(error),
    upload: async (body, info) => {
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      await gate.promise;
      const chunks: Uint8Array[] = [];
      for await (const chunk of body) chunks.push(chunk);
      stored.push([info, Buffer.concat(chunks).toString()]);
    },
  });
  const gate = async () => {
    while (gates.length === 0) await new Promise(setImmediate);
    return gates.shift()!;
  };
  return { path, replace, stored, errors, uploads, gate };
}

it('copies one state at a time, whole, in order, and skips those already replaced', async () => {
  const { replace, stored, uploads, gate } = setUp();
  replace('one');
  uploads.changed(1);
  const first = await gate();
  for (const [info, text] of [
    [2, 'two'],
    [3, 'three'],
  ] as const) {
    replace(text);
    uploads.changed(info);
  }
  first.resolve();
  (await gate()).resolve();
  await uploads.settled();
  // The first was open when the file was replaced, and is what it was then.
  expect(stored).toEqual([
    [1, 'one'],
    [3, 'three'],
  ]);
});

it('reports a failure, and forgets it with the next success', async () => {
  const { replace, stored, errors, uploads, gate } = setUp();
  replace('one');
  uploads.changed(1);
  (await gate()).reject(new Error('store is down'));
  await expect(uploads.settled()).rejects.toThrow('store is down');
  uploads.changed(2);
  (await gate()).resolve();
  await uploads.settled();
  expect(errors).toHaveLength(1);
  expect(stored).toEqual([[2, 'one']]);
});

it('copies nothing where the file is gone, and nothing more once stopped', async () => {
  const { path, replace, stored, uploads, gate } = setUp();
  uploads.changed(1);
  await uploads.settled();
  replace('two');
  uploads.changed(2);
  const under = await gate();
  uploads.changed(3);
  uploads.stop();
  rmSync(path);
  under.resolve();
  await uploads.settled();
  expect(stored).toEqual([[2, 'two']]);
});
