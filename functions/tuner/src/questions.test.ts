/** Jobs that learn to answer questions, from SQuAD's JSON to a published version. */
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

function squad(count: number, text = (word: string) => word): string {
  const paragraphs = Array.from({ length: count }, (_, i) => {
    const word = WORDS[i % 4]!;
    const context = `${'the '.repeat(i % 3)}${word} is a ${i}`;
    const answers = [{ text: text(word), answer_start: context.indexOf(word) }];
    return { context, qas: [{ id: String(i), question: `is the ${i}`, answers }] };
  });
  return JSON.stringify({ version: '1.1', data: [{ paragraphs }] }, null, 1);
}

const settings = { task: 'question-answering', length: 2, early_stopping: 0 };

it('publish a version that is scored by F1', { timeout: 120_000 }, async () => {
  const { upload, create, startTuner, ended, registry } = await startService({ models, workDir });
  const file = await upload([squad(24)], 'train.json');
  const { id } = await create(file, { settings, hyperparameters: { n_epochs: 2, batch_size: 8 } });
  startTuner();
  const job = await ended(id);
  expect(job).toMatchObject({ status: 'succeeded', error: null });
  const { versions } = await registry.prompts.get(TENANT, PROMPT);
  expect(versions[0]).toMatchObject({ task: 'question-answering' });
  const { reports } = await registry.files.get(TENANT, file);
  expect(reports['question-answering']).toMatchObject({ valid: true, examples: 24 });
  const [resultFile] = (job.progress as { resultFiles: string[] }).resultFiles;
  const { body } = await registry.files.content(TENANT, resultFile!);
  const [head] = Buffer.concat(await body.toArray())
    .toString()
    .split('\n');
  expect(head).toMatch(/\bf1\b/);
});

it('fail with the line and the answer that is not there', { timeout: 120_000 }, async () => {
  const { upload, create, startTuner, ended } = await startService({ models, workDir });
  const file = await upload([squad(8, (word) => `${word}s`)], 'train.json');
  const { id } = await create(file, { settings });
  startTuner();
  const job = await ended(id);
  expect(job.status).toBe('failed');
  expect(job.error?.message).toContain('"rains"');
});
