import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBackbone, type Precision, Predictor } from '@polyprompt/backbone';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { manualClock } from '@polyprompt/clock';
import type { Prompt } from '@polyprompt/prompts';
import { type TinyPromptOptions, tinyPrompt } from '@polyprompt/prompts/testing';
import {
  type LabelScore,
  questionAnswering,
  type ScoredPiece,
  type Task,
  type TaskTypes,
  taskOf,
  textClassification,
} from '@polyprompt/tasks';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { createEngine, type Engine, type EngineOptions } from './engine.ts';
import { ServingError } from './errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'serving-'));
const backboneDir = join(folder, 'tiny');
const spec = writeTinyBackbone(backboneDir, { family: 'roberta' });
const backbone = openBackbone(backboneDir, { cacheDir: folder });
const fingerprint = await backbone.fingerprint();
afterAll(() => rmSync(folder, { recursive: true }));

const prompts: Record<string, Prompt> = {};
const labels = (count: number) => Array.from({ length: count }, (_, i) => `label-${i}`);

function define(key: string, options: TinyPromptOptions): Prompt {
  prompts[key] = tinyPrompt(spec, fingerprint, options);
  return prompts[key];
}
define('p', { seed: 1 });

const load: EngineOptions['load'] = async (key) => prompts[key];
let engine: Engine;
function open(options: Partial<EngineOptions> = {}): Engine {
  engine = createEngine({ backboneDir, load, device: 'cpu', threads: 1, ...options });
  return engine;
}
afterEach(() => engine.close());

const MORTAL = new URL('./testing/mortal-worker.ts', import.meta.url);
/** With the two special tokens and the word boundary, 13 tokens: the mortal worker dies of it. */
const DEADLY = 'abcdefghij';

const task = textClassification;
const ask = (promptKey: string, ...texts: string[]) =>
  engine.infer({ promptKey, task, inputs: texts.map((text) => ({ text })) });

/** What one row alone gives on this thread, without any of this package. */
async function alone(
  prompt: Prompt,
  text: string,
  precision: Precision = 'float32',
): Promise<readonly LabelScore[]> {
  const predictor = new Predictor(backbone, { device: 'cpu', threads: 1, precision });
  const { ids, typeIds } = await backbone.tokenizer().encode(text);
  const [logits] = await predictor.predict([{ ids, typeIds, prompt }]);
  await predictor.release();
  return task.answer(
    { text },
    [{ example: 0, ids, typeIds, logits: logits!.pooled }],
    prompt.labels,
  );
}

function expectClose(actual: readonly LabelScore[], wanted: readonly LabelScore[]): void {
  expect(actual.map(({ label }) => label)).toEqual(wanted.map(({ label }) => label));
  actual.forEach(({ score }, i) => {
    expect(Math.abs(score - wanted[i]!.score)).toBeLessThan(1e-5);
  });
}

describe('answers', () => {
  it.each(['float32', 'int8'] as const)(
    'in %s are the same in a mixed batch as one by one',
    async (precision) => {
      open({ limits: { batchPadding: 0.9 }, precision });
      const kinds: TinyPromptOptions[] = [
        { seed: 2, length: 1, labels: labels(2) },
        { seed: 3, length: 9, labels: labels(7) },
        { seed: 4, length: 4, labels: labels(3), pooling: 'mean' },
        { seed: 5, length: 30, labels: labels(1), pooling: 'last' },
        { seed: 6, method: 'soft', length: 5, labels: labels(4) },
        { seed: 7, method: 'head', labels: labels(5) },
      ];
      const texts = ['a', 'some words, no more', 'a longer text than others'];
      const cases = kinds.flatMap((kind) => {
        const key = `mixed-${kind.seed}`;
        const prompt = define(key, kind);
        return texts.map((text) => ({ key, prompt, text }));
      });
      const wanted = await Promise.all(
        cases.map(({ prompt, text }) => alone(prompt, text, precision)),
      );
      // The first takes the worker; the rest wait for it and become one batch.
      const first = ask('p', 'first');
      const results = await Promise.all(cases.map(({ key, text }) => ask(key, text)));
      await first;
      expect(engine.stats().batcher).toMatchObject({ rows: 1 + cases.length });
      expect(engine.stats().batcher.batches).toBeLessThan(5);
      results.forEach(({ answers }, i) => {
        expectClose(answers[0]!, wanted[i]!);
      });
    },
  );

  it('of a prompt with very many labels are not at the cost of others in its batch', async () => {
    define('small', { seed: 11, method: 'head', labels: labels(2) });
    define('huge', { seed: 12, method: 'head', labels: labels(2000) });
    open({ limits: { batchBytes: 200_000, batchPadding: 0.9 } });
    const first = ask('small', 'first');
    const mixed = await Promise.all(['small', 'huge', 'small', 'huge'].map((key) => ask(key, 'a')));
    await first;
    expect(mixed.map(({ answers }) => answers[0]!.length)).toEqual([2, 2000, 2, 2000]);
    // The first, the small ones together, each of the others alone.
    expect(engine.stats().batcher).toMatchObject({ rows: 5, batches: 4 });
  });

  it('keep the order of many inputs and options of the task', async () => {
    open({ limits: { batchRows: 3 } });
    const texts = Array.from({ length: 20 }, (_, i) => 'word '.repeat(1 + ((i * 7) % 10)).trim());
    const { answers, truncated, characters, tokens, timing } = await ask('p', ...texts);
    for (const [i, text] of texts.entries()) {
      expectClose(answers[i]!, await alone(prompts.p!, text));
    }
    expect(truncated).toEqual([]);
    expect(characters).toBe(texts.join('').length);
    expect(tokens).toBe(engine.stats().batcher.tokens);
    expect(timing.totalMs).toBeGreaterThanOrEqual(timing.inferenceMs);
    const best = await engine.infer({
      promptKey: 'p',
      task,
      inputs: [{ text: 'x', textPair: 'y' }],
      options: { topK: 1, functionToApply: 'none' },
    });
    expect(best.answers[0]).toHaveLength(1);
  });

  it('count code points, take no inputs for an answer, and empty text for text', async () => {
    open();
    expect((await ask('p', '🙂é')).characters).toBe(2);
    expect(await ask('p')).toMatchObject({ answers: [], tokens: 0 });
    expect((await ask('p', '')).answers[0]).toHaveLength(3);
  });

  it('reach tasks that cut a text into windows with all their pieces', async () => {
    open();
    const windows = {
      ...taskOf('text-classification'),
      output: 'tokens',
      encode: async (inputs: readonly string[]) => ({
        pieces: inputs.flatMap((text, example) =>
          [...text].map((_, i) => ({ example, ids: [0, 5 + i, 2], typeIds: [0, 0, 0] })),
        ),
        overruns: [],
      }),
      answer: (text: string, pieces: readonly ScoredPiece[]) =>
        `${text}: ${pieces.map(({ logits }) => logits.length)}`,
    } as unknown as Task<TaskTypes & { input: string; answer: string }>;
    const { answers } = await engine.infer({
      promptKey: 'p',
      task: windows,
      inputs: ['ab', '', 'c'],
    });
    expect(answers).toEqual(['ab: 9,9', ': ', 'c: 9']);
  });
});

describe('limits', () => {
  it('refuse a text that is too long, with its tokens and the limit, or cut it and say so', async () => {
    open();
    const long = 'word '.repeat(40);
    // 66 positions, 2 of them lost to RoBERTa's numbering, 4 to the prompt.
    await expect(ask('p', 'short', long, long)).rejects.toMatchObject({
      code: 'too_long',
      message:
        'input 1 (and 1 more) has 202 tokens, the limit behind this prompt is 60; shorten it or ask for truncation',
      tooLong: [
        { input: 1, tokens: 202, limit: 60 },
        { input: 2, tokens: 202, limit: 60 },
      ],
    });
    const inputs = [{ text: 'short' }, { text: long }];
    const result = await engine.infer({ promptKey: 'p', task, inputs, truncate: true });
    expect(result.truncated).toEqual([1]);
    expect(result.answers).toHaveLength(2);
    expect(engine.stats()).toMatchObject({ pendingInputs: 0, cache: { pinnedBytes: 0 } });
  });

  it('refuse at once what is too much', async () => {
    open({ limits: { inputs: 4, pendingInputs: 8, tenantInputs: 4 } });
    const texts = ['a', 'b', 'c', 'd'];
    const first = ask('p', ...texts);
    await expect(ask('p', 'e')).rejects.toMatchObject({ code: 'overloaded' });
    await expect(ask('p', ...texts, 'e')).rejects.toMatchObject({ code: 'too_many_inputs' });
    const inputs = [{ text: 'e' }];
    const other = engine.infer({ promptKey: 'p', task, inputs, tenant: 'other' });
    expect((await first).answers).toHaveLength(4);
    expect((await other).answers).toHaveLength(1);
    expect((await ask('p', 'e')).answers).toHaveLength(1);
    expect(engine.stats()).toMatchObject({ pendingInputs: 0, refused: 1 });
  });

  it.each([
    [{ workers: 0 }, 'workers is 0'],
    [{ threads: 1.5 }, 'threads is 1.5'],
    [{ limits: { batchRows: -1 } }, 'limits.batchRows is -1'],
  ])('refuse the option %o', (options, message) => {
    expect(() => createEngine({ backboneDir, load, ...options })).toThrow(message);
  });
});

it('refuses contexts that make more rows than a request may have', async () => {
  define('answers', { seed: 9, task: 'question-answering', labels: ['start', 'end'] });
  open({ limits: { requestRows: 8 } });
  const answer = (context: string) =>
    engine.infer({
      ...{ promptKey: 'answers', task: questionAnswering },
      inputs: [{ question: 'a', context }],
      options: { maxTokens: 12 },
    });
  expect((await answer('a b c d e f g')).answers).toHaveLength(1);
  await expect(answer('a b c d '.repeat(20))).rejects.toMatchObject({
    name: 'TaskError',
    code: 'bad_option',
    message: expect.stringContaining('more than 8 windows'),
  });
  expect(engine.stats().pendingInputs).toBe(0);
});

describe('prompts', () => {
  it('are loaded once however many requests wait, and kept within bytes', async () => {
    const loads: string[] = [];
    const size = tinyPrompt(spec, fingerprint, { seed: 1 });
    const bytes =
      size.prefix!.data.byteLength +
      size.headWeight.data.byteLength +
      size.headBias.data.byteLength;
    for (const key of ['x', 'y', 'z']) define(key, { seed: key.charCodeAt(0) });
    open({
      limits: { cacheBytes: 2 * bytes },
      load: async (key) => {
        loads.push(key);
        return prompts[key];
      },
    });
    const wanted = await alone(prompts.x!, 'hello');
    const all = await Promise.all(Array.from({ length: 20 }, () => ask('x', 'hello')));
    for (const { answers } of all) expectClose(answers[0]!, wanted);
    expect(loads).toEqual(['x']);
    for (const key of ['y', 'z', 'x']) await ask(key, 'hello');
    expect(loads).toEqual(['x', 'y', 'z', 'x']);
    expect(engine.stats().cache).toMatchObject({
      entries: 2,
      bytes: 2 * bytes,
      pinnedBytes: 0,
      evictions: 2,
    });
    expectClose((await ask('x', 'hello')).answers[0]!, wanted);
  });

  it('that cannot be had or do not fit are refused by name, never run', async () => {
    let fail = true;
    const wrong: Record<string, Partial<Prompt>> = {
      stranger: { backbone: `sha256:${'0'.repeat(64)}`, backboneName: 'elsewhere' },
      wide: { headWeight: { shape: [7, 3], data: new Float32Array(21) } },
      pooler: { pooling: 'pooler' },
    };
    open({
      load: async (key) => {
        if (key === 'flaky' && fail) throw new Error('connection reset');
        if (key === 'tagger') return { ...prompts.p!, task: 'token-classification' };
        if (key === 'long') return tinyPrompt(spec, fingerprint, { seed: 1, length: 62 });
        return key === 'none' ? undefined : { ...prompts.p!, ...wrong[key] };
      },
    });
    const refusal = (key: string) =>
      ask(key, 'x').then(
        () => 'answered',
        ({ code, message }: ServingError) => `${code}: ${message}`,
      );
    expect(await refusal('none')).toBe('prompt_not_found: there is no prompt "none"');
    expect(await refusal('flaky')).toMatch(/^prompt_unavailable: .*connection reset/);
    expect(await refusal('stranger')).toMatch(/^prompt_unfit: .*trained on backbone "elsewhere"/);
    expect(await refusal('wide')).toMatch(/^prompt_unfit: .*head.weight is \[7,3\], "tiny" takes/);
    expect(await refusal('pooler')).toMatch(/^prompt_unfit: .*the pooler, which "tiny" does not/);
    expect(await refusal('long')).toMatch(/^prompt_unfit: .*62 positions does not fit/);
    expect(await refusal('tagger')).toBe(
      'wrong_task: prompt "tagger" does token-classification, not text-classification',
    );
    fail = false;
    expect(await refusal('flaky')).toBe('answered');
  });
});

describe('giving up', () => {
  it('tells a request that its time is over, also while its prompt loads', async () => {
    const clock = manualClock();
    const slow = Promise.withResolvers<Prompt>();
    open({ clock, load: async (key) => (key === 'slow' ? slow.promise : prompts[key]) });
    const inputs = [{ text: 'x' }];
    const hurried = engine.infer({ promptKey: 'slow', task, inputs, deadlineMs: 50 });
    const patient = engine.infer({ promptKey: 'slow', task, inputs });
    clock.advance(50);
    await expect(hurried).rejects.toMatchObject({
      code: 'deadline_exceeded',
      message: expect.stringContaining('no answer within 50 ms'),
    });
    slow.resolve(prompts.p!);
    expect((await patient).answers).toHaveLength(1);
    await expect(
      engine.infer({ promptKey: 'p', task, inputs, deadlineMs: 0 }),
    ).rejects.toMatchObject({ code: 'bad_option' });
    expect(clock.pending).toBe(0);
  });

  it('drops a request whose client left, before or after it came in', async () => {
    open();
    await engine.ready();
    const left = AbortSignal.abort(new Error('socket closed'));
    const inputs = [{ text: 'x' }];
    await expect(
      engine.infer({ promptKey: 'p', task, inputs, signal: left }),
    ).rejects.toMatchObject({ code: 'cancelled', cause: { message: 'socket closed' } });
    const controller = new AbortController();
    const going = engine.infer({ promptKey: 'p', task, inputs, signal: controller.signal });
    controller.abort();
    await expect(going).rejects.toMatchObject({ code: 'cancelled' });
    expect((await ask('p', 'x')).answers).toHaveLength(1);
    expect(engine.stats()).toMatchObject({
      pendingInputs: 0,
      cache: { pinnedBytes: 0 },
      batcher: { waitingRows: 0, rows: 1 },
    });
  });
});

it('counts what was given up until it is off the threads of the tokenizer', async () => {
  open();
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const slow: typeof task = {
    ...task,
    async encode(...given) {
      begun.resolve();
      await goOn.promise;
      return task.encode(...given);
    },
  };
  const controller = new AbortController();
  const { signal } = controller;
  const going = engine.infer({ promptKey: 'p', task: slow, inputs: [{ text: 'x' }], signal });
  await begun.promise;
  controller.abort();
  await expect(going).rejects.toMatchObject({ code: 'cancelled' });
  expect(engine.stats()).toMatchObject({ pendingInputs: 1, cache: { pinnedBytes: 0 } });
  goOn.resolve();
  await vi.waitFor(() => expect(engine.stats().pendingInputs).toBe(0));
});

describe('life', () => {
  it('is ready after a batch through its graphs, and answers who came before', async () => {
    open({ graphs: ['prefix', 'soft', 'none'] });
    expect(engine.stats().runtime).toBeNull();
    const early = ask('p', 'x');
    expect(await engine.ready()).toEqual({ device: 'cpu', precision: 'float32' });
    expect(engine.stats().runtime).toEqual({ device: 'cpu', precision: 'float32' });
    expect((await early).answers).toHaveLength(1);
  });

  it('outlives its worker: the batch that killed it fails, those that wait are answered', async () => {
    let loads = 0;
    open({
      workerEntry: MORTAL,
      limits: { batchRows: 1 },
      load: async (key) => {
        loads++;
        return prompts[key];
      },
    });
    await engine.ready();
    const wanted = await alone(prompts.p!, 'bystander');
    const deadly = expect(ask('p', DEADLY)).rejects.toMatchObject({
      name: 'ServingError',
      code: 'worker_crashed',
    });
    // Texts are tokenised side by side: the deadly one must be with the worker before others come.
    await vi.waitFor(() => expect(engine.stats().batcher.rows).toBe(1), { interval: 1 });
    const waiting = [ask('p', 'bystander'), ask('p', 'bystander')];
    await deadly;
    for (const { answers } of await Promise.all(waiting)) expectClose(answers[0]!, wanted);
    expect(loads).toBe(2);
    expect(engine.stats()).toMatchObject({
      runtime: { device: 'cpu' },
      restarts: 1,
      pendingInputs: 0,
    });
    expectClose((await ask('p', 'bystander')).answers[0]!, wanted);
  });

  it('closes after the last answer and refuses new requests meanwhile', async () => {
    open({ limits: { batchRows: 2 } });
    const requests = Array.from({ length: 10 }, (_, i) => ask('p', `text ${i}`));
    const closing = engine.close();
    await expect(ask('p', 'late')).rejects.toBeInstanceOf(ServingError);
    await expect(ask('p', 'late')).rejects.toMatchObject({ code: 'closed' });
    expect(await Promise.all(requests)).toHaveLength(10);
    await closing;
    await expect(engine.ready()).rejects.toMatchObject({ code: 'closed' });
  });

  it('works with several workers', async () => {
    open({ workers: 2, limits: { batchRows: 2 } });
    const texts = Array.from({ length: 8 }, (_, i) => `text ${i}`);
    const { answers } = await ask('p', ...texts);
    for (const [i, text] of texts.entries()) {
      expectClose(answers[i]!, await alone(prompts.p!, text));
    }
  });
});
