/** Jobs that learn to tag words, from CoNLL to a published version. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { testBackbone } from './testing/backbone.ts';
import { PROMPT, startService, TENANT } from './testing/service.ts';

const { models } = testBackbone();
const workDir = mkdtempSync(join(tmpdir(), 'polyprompt-tuner-work-'));
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

const WORDS = ['rain', 'snow', 'bread', 'soup'];
const conll = (count: number) =>
  Array.from(
    { length: count },
    (_, i) => `the O\n${WORDS[i % 4]} B-${i % 4 < 2 ? 'SKY' : 'FOOD'}\n`,
  ).join('\n');

const settings = { task: 'token-classification', length: 2, early_stopping: 0 };

it('publish a version, and count the spans of the file', { timeout: 120_000 }, async () => {
  const { upload, create, startTuner, ended, registry } = await startService({ models, workDir });
  const file = await upload([conll(24)], 'train.conll');
  const { id } = await create(file, { settings, hyperparameters: { n_epochs: 2, batch_size: 8 } });
  startTuner();
  expect(await ended(id)).toMatchObject({ status: 'succeeded', error: null });
  const { versions } = await registry.prompts.get(TENANT, PROMPT);
  expect(versions[0]).toMatchObject({ task: 'token-classification' });
  const { reports } = await registry.files.get(TENANT, file);
  expect(reports['token-classification']).toMatchObject({
    valid: true,
    examples: 24,
    labels: { FOOD: 12, SKY: 12 },
  });
});

it('fail with the line of a word without tag', { timeout: 120_000 }, async () => {
  const { upload, create, startTuner, ended } = await startService({ models, workDir });
  const file = await upload([`${conll(8)}\nthe\n`], 'train.conll');
  const { id } = await create(file, { settings });
  startTuner();
  const job = await ended(id);
  expect(job.status).toBe('failed');
  expect(job.error?.message).toContain('line 25');
});
