import {
  CheckpointList,
  FineTuningJob,
  JobEvent,
  JobEventList,
  JobList,
  OpenAiError,
  ValidationReport,
} from '@polyprompt/contract';
import type { JobHandle } from '@polyprompt/registry';
import { describe, expect, it } from 'vitest';
import { testService } from '../testing/test-service.ts';

const closing = new AbortController();
const service = await testService({ deps: { closing: closing.signal } });
const { app, key, call, ask, registry, publish } = service;
const secret = await key('acme', 'tune');
const file = async (tenant = 'acme') => {
  const body = (async function* () {
    yield Buffer.from('{"text":"a","label":"b"}\n');
  })();
  return (await registry.files.create(tenant, { filename: 'a.jsonl', purpose: 'fine-tune', body }))
    .id;
};
const training_file = await file();

let count = 0;
const settings = () => ({ model: 'tiny', training_file, metadata: { n: String(count++) } });
const create = (body: object = settings(), headers?: Record<string, string>) =>
  ask({ schema: FineTuningJob }, secret, 'POST', '/v1/fine_tuning/jobs', body, headers);
const verb = (id: string, what: string) =>
  ask({ schema: FineTuningJob }, secret, 'POST', `/v1/fine_tuning/jobs/${id}/${what}`);
const fail = async (
  status: number,
  method: string,
  path: string,
  body?: object,
  headers?: Record<string, string>,
) => (await ask({ status, schema: OpenAiError }, secret, method, path, body, headers)).error;

/** Takes the job as a tuner would. */
async function work(id: string): Promise<JobHandle> {
  const handle = await registry.jobs.take('acme', id, 'worker');
  if (typeof handle === 'string') throw new Error(handle);
  await handle.validated();
  return handle;
}

describe('a tuning job', () => {
  it('is created with its settings, the rest being automatic', async () => {
    const job = await create({
      ...settings(),
      suffix: 'my-topics',
      validation_file: training_file,
      seed: 7,
      method: { type: 'supervised', supervised: { hyperparameters: { n_epochs: 3 } } },
      hyperparameters: { n_epochs: 9, batch_size: 4 },
      prompt: { task: 'text-classification', length: 8, activate: 'staging' },
    });
    expect(job).toMatchObject({
      object: 'fine_tuning.job',
      model: 'tiny',
      status: 'validating_files',
      organization_id: 'acme',
      training_file,
      validation_file: training_file,
      seed: 7,
      hyperparameters: { n_epochs: 3, batch_size: 4, learning_rate_multiplier: 'auto' },
      prompt: { task: 'text-classification', length: 8, activate: 'staging' },
      fine_tuned_model: null,
      finished_at: null,
      error: null,
      trained_tokens: null,
    });
    const again = await ask(
      { schema: FineTuningJob },
      secret,
      'GET',
      `/v1/fine_tuning/jobs/${job.id}`,
    );
    expect(again).toEqual(job);
  });

  it('continues from the version that a reference means when it is created', async () => {
    await publish('acme', 'parent', { seed: 1 });
    const from = (ref: string, task = 'text-classification') => ({
      ...settings(),
      prompt: { task, from: ref },
    });
    const { prompt } = await create(from('parent'));
    expect(prompt?.from).toMatch(/^ft:[^:]+:acme:parent:1$/);
    const path = '/v1/fine_tuning/jobs';
    for (const ref of ['nothing', 'parent@9', 'other/parent']) {
      expect(await fail(404, 'POST', path, from(ref))).toBeDefined();
    }
    expect(await fail(422, 'POST', path, from('a@b@c'))).toMatchObject({
      code: 'invalid_reference',
    });
  });

  it('is the same one when its creation is repeated', async () => {
    const body = settings();
    const { id } = await create(body);
    expect((await create(body)).id).toBe(id);
    expect((await create(settings())).id).not.toBe(id);
    const header = { 'idempotency-key': 'once' };
    const keyed = settings();
    const first = await create(keyed, header);
    expect((await create(keyed, header)).id).toBe(first.id);
    const path = '/v1/fine_tuning/jobs';
    expect(await fail(409, 'POST', path, settings(), header)).toMatchObject({
      code: 'idempotency.mismatch',
      param: 'Idempotency-Key',
    });
    expect(
      await fail(422, 'POST', path, settings(), { 'idempotency-key': 'x'.repeat(256) }),
    ).toMatchObject({ param: 'Idempotency-Key' });
  });

  it('tells what its worker does, and names the version it made', async () => {
    const { id } = await create({ ...settings(), suffix: 'made' });
    const handle = await work(id);
    await handle.event({ level: 'info', message: 'step 1', type: 'metrics', data: { step: 1 } });
    await handle.addCheckpoint({ step: 10, metrics: { valid_loss: 0.5, full_valid_loss: 0.4 } });
    await handle.addCheckpoint({ step: 20, metrics: { valid_loss: 0.3 } });
    await publish('acme', 'made', { seed: 1 });
    const { hash } = await registry.prompts.version('acme', 'made', 1);
    await handle.update({ trainedTokens: 1234 });
    await handle.finish({ status: 'succeeded', result: { version: 1, hash } });

    const job = await ask({ schema: FineTuningJob }, secret, 'GET', `/v1/fine_tuning/jobs/${id}`);
    expect(job).toMatchObject({
      status: 'succeeded',
      fine_tuned_model: 'ft:tiny:acme:made:1',
      trained_tokens: 1234,
    });
    expect(job.finished_at).toBeGreaterThanOrEqual(job.created_at);
    const path = `/v1/fine_tuning/jobs/${id}/checkpoints`;
    const one = await ask({ schema: CheckpointList }, secret, 'GET', `${path}?limit=1`);
    expect(one.data[0]).toMatchObject({ step_number: 20, metrics: { valid_loss: 0.3 } });
    expect(one.has_more).toBe(true);
    const two = await ask(
      { schema: CheckpointList },
      secret,
      'GET',
      `${path}?limit=1&after=${one.last_id}`,
    );
    expect(two.data[0]).toMatchObject({ step_number: 10, fine_tuning_job_id: id });
    expect(two.has_more).toBe(false);
  });

  it('is cancelled, paused and resumed as far as its state allows', async () => {
    const { id } = await create();
    await work(id);
    expect(await verb(id, 'resume')).toMatchObject({ status: 'running' });
    await verb(id, 'pause');
    await verb(id, 'cancel');
    expect(await fail(409, 'POST', `/v1/fine_tuning/jobs/${id}/pause`)).toMatchObject({
      code: 'job.state',
    });
    const waiting = await create();
    expect(await verb(waiting.id, 'cancel')).toMatchObject({ status: 'cancelled' });
    expect(await fail(400, 'POST', `/v1/fine_tuning/jobs/${waiting.id}/pause`)).toMatchObject({
      code: 'job.finished',
    });
    expect(await fail(404, 'POST', '/v1/fine_tuning/jobs/ftjob-none/cancel')).toMatchObject({
      code: 'job.not_found',
    });
  });

  it('is listed newest first, by tags too', async () => {
    const tag = { metadata: { task: 'listed', colour: 'red' } };
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.unshift((await create({ ...settings(), ...tag, seed: i })).id);
    await create();
    const query = 'limit=2&metadata[task]=listed&metadata[colour]=red';
    const path = `/v1/fine_tuning/jobs?${query}`;
    const first = await ask({ schema: JobList }, secret, 'GET', path);
    expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect(first.has_more).toBe(true);
    const rest = await ask({ schema: JobList }, secret, 'GET', `${path}&after=${first.last_id}`);
    expect(rest.data.map(({ id }) => id)).toEqual(ids.slice(2));
  });

  it.each<[string, object, number, string | null]>([
    ['an unknown backbone', { model: 'gpt' }, 404, 'model'],
    ['an unknown file', { training_file: 'file-none' }, 404, 'training_file'],
    ['an unknown validation file', { validation_file: 'file-none' }, 404, 'validation_file'],
    ['a path for a file', { training_file: '../secret' }, 422, 'training_file'],
    ['no file', { training_file: undefined }, 400, 'training_file'],
    ['a bad name', { suffix: 'My Prompt' }, 422, 'suffix'],
    ['a misspelt setting', { prompt: { task: 'text-classification', lenght: 3 } }, 400, 'prompt'],
    [
      'a long prompt',
      { prompt: { task: 'text-classification', length: 9999 } },
      422,
      'prompt.length',
    ],
    ['too many epochs', { hyperparameters: { n_epochs: 51 } }, 422, 'hyperparameters.n_epochs'],
    ['a text for a number', { seed: 'seven' }, 400, 'seed'],
  ])('with %s is refused', async (_, change, status, param) => {
    const body = { ...settings(), ...change };
    expect(await fail(status, 'POST', '/v1/fine_tuning/jobs', body)).toMatchObject({ param });
  });

  /** The refusal of settings that only the backbone, the recipes or each other rule out. */
  const refused = (change: object, task = 'text-classification') => {
    const { prompt, ...rest } = change as { prompt?: object };
    const body = { ...settings(), ...rest, prompt: { task, ...prompt } };
    return fail(400, 'POST', '/v1/fine_tuning/jobs', body);
  };

  it.each<[string, object, string, RegExp]>([
    [
      'no such recipe',
      { prompt: { recipe: 'magic' } },
      'prompt.recipe',
      /known are default, tu2022/,
    ],
    [
      "another task's recipe",
      { prompt: { recipe: 'tu2022-qa' } },
      'prompt.recipe',
      /is for question-answering.*recipes for it are default, tu2022-xnli/,
    ],
    ['a recipe in odd letters', { prompt: { recipe: 'Magic!' } }, 'prompt.recipe', /known are/],
    [
      'a pooler that the backbone lacks',
      { prompt: { recipe: 'tu2022-xnli' } },
      'prompt.pooling',
      /backbone tiny does not have/,
    ],
    ['no room for a text', { prompt: { length: 62 } }, 'prompt.length', /a prompt of at most \d+$/],
    [
      'a network for a prompt that is none',
      { prompt: { method: 'head', reparameterise: 8 } },
      'prompt.reparameterise',
      /has none/,
    ],
    ['too much dropout', { prompt: { dropout: 0.95 } }, 'prompt.dropout', /dropout is 0.95/],
    [
      'a rate that is multiplied out of its range',
      { hyperparameters: { learning_rate_multiplier: 1e4 } },
      'hyperparameters.learning_rate_multiplier',
      /learningRate is 50/,
    ],
    [
      'a candidate out of range',
      { prompt: { candidates: { warmup: [0.1, 3] } } },
      'prompt.candidates',
      /candidate warmup=3: warmup is 3/,
    ],
    [
      'too many candidates',
      { prompt: { candidates: { seed: [1, 2, 3, 4, 5], length: Array(13).fill(4) } } },
      'prompt.candidates',
      /65 combinations are more than 64/,
    ],
    ['no candidates', { prompt: { candidates: {} } }, 'prompt.candidates', /there are none/],
  ])('with %s is refused before there is one', async (_, change, param, message) => {
    const before = await registry.jobs.list('acme', { limit: 1 });
    expect(await refused(change)).toMatchObject({
      ...{ code: 'settings.invalid', param, message: expect.stringMatching(message) },
    });
    expect(await registry.jobs.list('acme', { limit: 1 })).toEqual(before);
  });

  it('with candidates that are no lists of known settings is refused by the field', async () => {
    for (const [candidates, status, param] of [
      [{ rate: [1] }, 400, 'prompt.candidates'],
      [{ lr: 0.001 }, 400, 'prompt.candidates.lr'],
      [{ lr: [] }, 422, 'prompt.candidates.lr'],
      [{ seed: [1, -1] }, 422, 'prompt.candidates.seed[1]'],
      ['lr=1e-3', 400, 'prompt.candidates'],
    ] as const) {
      const body = { ...settings(), prompt: { task: 'text-classification', candidates } };
      expect(await fail(status, 'POST', '/v1/fine_tuning/jobs', body)).toMatchObject({ param });
    }
  });

  it('shows the candidates that it was asked for', async () => {
    const prompt = { task: 'text-classification', candidates: { lr: [1e-3, 5e-3], seed: [1, 2] } };
    expect((await create({ ...settings(), prompt })).prompt).toEqual(prompt);
  });

  it('continues from nothing that does not fit it', async () => {
    await publish('acme', 'fitting', { seed: 1 });
    const from = (more: object, task?: string) =>
      refused({ prompt: { from: 'fitting', ...more } }, task);
    for (const refusal of [
      await from({ method: 'soft' }),
      await from({ length: 40 }),
      await from({ reparameterise: 8 }),
      await from({}, 'token-classification'),
    ]) {
      expect(refusal).toMatchObject({ code: 'settings.invalid', param: 'prompt.from' });
      expect(refusal.message).toContain('cannot continue from fitting: ');
    }
  });

  describe('on a file that is known not to fit', () => {
    const TASK = 'text-classification';
    const fill = async (lines: readonly string[], purpose = 'fine-tune') => {
      const body = (async function* () {
        yield Buffer.from(lines.join('\n'));
      })();
      return (await registry.files.create('acme', { filename: 'a.jsonl', purpose, body })).id;
    };
    const questions = Array.from({ length: 9 }, (_, i) =>
      JSON.stringify({ context: `the rain ${i}`, question: 'what?', answers: { text: ['rain'] } }),
    );
    const topics = Array.from({ length: 20 }, (_, i) =>
      JSON.stringify({ text: `the rain ${i}`, label: i % 2 ? 'a' : 'b' }),
    );
    const check = (file_id: string) =>
      ask({ schema: ValidationReport }, secret, 'POST', '/v1/files/validate', {
        file_id,
        task: TASK,
      });
    const refusal = (change: object) =>
      fail(422, 'POST', '/v1/fine_tuning/jobs', { ...settings(), ...change });

    it('is refused with the first problem that its check found', async () => {
      const id = await fill([...topics, '{"text": "no label"}', '{"text": ']);
      // Unchecked, it is the tuner's to check.
      expect(await create({ ...settings(), training_file: id })).toMatchObject({ error: null });
      await check(id);
      const { message, code, param } = await refusal({ training_file: id });
      expect({ code, param }).toEqual({ code: 'file.invalid', param: 'training_file' });
      expect(message).toMatch(/has 2 problems as data for text-classification, .* in line 21: /);
    });

    it('is the job that it was when its creation is repeated', async () => {
      const id = await fill(['{"text": "no label"}']);
      const body = { ...settings(), training_file: id };
      const header = { 'idempotency-key': 'before-the-check' };
      const job = await create(body, header);
      await check(id);
      expect((await create(body, header)).id).toBe(job.id);
    });

    it('is refused when the file was checked for another task, and is no data for this one', async () => {
      const id = await fill(questions);
      const report = { valid: true, examples: 9, errors: 0, issues: [] };
      await registry.files.setReport('acme', id, 'question-answering', report);
      for (const param of ['training_file', 'validation_file']) {
        expect(await refusal({ [param]: id })).toMatchObject({ code: 'file.invalid', param });
      }
      expect((await registry.files.get('acme', id)).reports[TASK]).toMatchObject({ valid: false });
    });

    it('is judged by a report of its own reading alone', async () => {
      const row = { text: '🙂 Oslo', entities: [{ start: 5, end: 9, label: 'LOC', text: 'Oslo' }] };
      const task = 'token-classification';
      const id = await fill(Array.from({ length: 20 }, () => JSON.stringify(row)));
      const job = (reading: object) => ({
        ...settings(),
        training_file: id,
        prompt: { task, ...reading },
      });
      const checked = await ask(
        { schema: ValidationReport },
        secret,
        'POST',
        '/v1/files/validate',
        {
          ...{ file_id: id, task },
        },
      );
      expect(checked.valid).toBe(false);
      expect(await create(job({ offset_unit: 'byte' }))).toMatchObject({
        ...{ error: null, prompt: { offset_unit: 'byte' } },
      });
      // That was the newest report; again it is not the one for this reading.
      expect(await fail(422, 'POST', '/v1/fine_tuning/jobs', job({}))).toMatchObject({
        ...{ code: 'file.invalid', param: 'training_file' },
      });
    });

    it('is made when the file is data for this task, too', async () => {
      const id = await fill(topics);
      await registry.files.setReport('acme', id, 'token-classification', { valid: true });
      expect(await create({ ...settings(), training_file: id })).toMatchObject({ error: null });
    });

    it('is refused on what a job wrote about itself', async () => {
      const id = await fill(['step,valid_loss'], 'fine-tune-results');
      const { message, param } = await refusal({ training_file: id });
      expect(param).toBe('training_file');
      expect(message).toContain('has the purpose fine-tune-results');
    });

    it('is made when only the validation file has too little of some label', async () => {
      const id = await fill(topics.filter((_, i) => i % 2));
      expect((await check(id)).valid).toBe(false);
      expect(await create({ ...settings(), validation_file: id })).toMatchObject({ error: null });
    });
  });

  it("on a deleted file, or on another tenant's, is refused", async () => {
    const deleted = await file();
    await registry.files.remove('acme', deleted);
    for (const id of [deleted, await file('other')]) {
      const body = { ...settings(), training_file: id };
      expect(await fail(404, 'POST', '/v1/fine_tuning/jobs', body)).toMatchObject({
        code: 'file.not_found',
        param: 'training_file',
      });
    }
  });
});

describe('the events of a job', () => {
  /** Reads messages until the stream ends or `wanted` have come. */
  async function follow(id: string, headers: Record<string, string> = {}, wanted = Infinity) {
    const response = await app.request(`/v1/fine_tuning/jobs/${id}/events`, {
      headers: { authorization: `Bearer ${secret}`, accept: 'text/event-stream', ...headers },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const events: JobEvent[] = [];
    let text = '';
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      text += piece;
      const blocks = text.split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) {
        const [, eventId, data] = /^id: (.+)\ndata: (.+)$/.exec(block) ?? [];
        if (data === undefined) continue;
        const event = JobEvent.parse(JSON.parse(data));
        expect(event.id).toBe(eventId);
        events.push(event);
      }
      if (events.length >= wanted) break;
    }
    return events;
  }

  it('are pages for those who ask, newest first', async () => {
    const { id } = await create();
    const handle = await work(id);
    for (const message of ['a', 'b', 'c']) await handle.event({ level: 'info', message });
    const path = `/v1/fine_tuning/jobs/${id}/events`;
    const { data, last_id } = await ask({ schema: JobEventList }, secret, 'GET', `${path}?limit=2`);
    expect(data.map(({ message }) => message)).toEqual(['c', 'b']);
    const more = await ask(
      { schema: JobEventList },
      secret,
      'GET',
      `${path}?limit=1&after=${last_id}`,
    );
    expect(more.data[0]!.message).toBe('a');
    expect(await fail(422, 'GET', `${path}?after=nonsense`)).toMatchObject({ param: 'after' });
    await handle.release();
  });

  it('are a stream from the first on, until the job ends; a reader comes back where it left', async () => {
    const { id } = await create();
    const handle = await work(id);
    await handle.event({ level: 'info', message: 'early' });
    const reading = follow(id);
    await handle.event({ level: 'info', message: 'late', type: 'metrics', data: { loss: 0.5 } });
    await handle.finish({ status: 'failed', error: { code: 'x', message: 'y', param: null } });
    const events = await reading;
    const messages = events.map(({ message }) => message);
    expect(messages).toContain('early');
    expect(messages.indexOf('late')).toBeGreaterThan(messages.indexOf('early'));
    const behind = await follow(id, { 'last-event-id': events[0]!.id });
    expect(behind).toEqual(events.slice(1));
  });

  it('end when the service shuts down', async () => {
    const { id } = await create();
    const handle = await work(id);
    await handle.event({ level: 'info', message: 'one' });
    const reading = follow(id);
    closing.abort();
    expect((await reading).length).toBeLessThanOrEqual(10);
    await handle.release();
  });

  it('of an unknown job are 404, as a stream too', async () => {
    const accept = { accept: 'text/event-stream' };
    const response = await call(
      secret,
      'GET',
      '/v1/fine_tuning/jobs/ftjob-none/events',
      undefined,
      accept,
    );
    expect(response.status).toBe(404);
  });
});
