/** Question answering: the unmodified `@huggingface/inference` client, and what it does not show over plain HTTP. */
import { describe, expect, it } from 'vitest';
import { startServer } from './setup.ts';

const server = await startServer();
const { key, publish, huggingFace, checkedFetch, url } = server;
const secret = await key('acme', 'infer');
await publish('acme', 'qa', { seed: 3, task: 'question-answering', labels: ['start', 'end'] });
await publish('acme', 'topics', { seed: 1 });
const qa = huggingFace(secret, 'qa');

const question = 'is the soup a soup';
const context = 'the rain is 😀 a snow the bread is the soup';

interface WireAnswer {
  readonly answer: string;
  readonly score: number;
  readonly start: number;
  readonly end: number;
}

/** Whichever of the shapes a test expects. */
type Body = WireAnswer & (WireAnswer & WireAnswer[])[] & { readonly error: string };

async function post(body: object, model = 'qa') {
  const response = await checkedFetch(`${url}/models/${model}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secret}` },
    body: JSON.stringify(body),
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Body,
  };
}

/** The one answer to the one question. */
async function ask(parameters: object, inputs: object = { question, context }) {
  const { body, headers } = await post({ inputs, parameters });
  return { answer: body as WireAnswer, headers };
}

describe('the client', () => {
  it('gets an answer that is a slice of the context by code points', async () => {
    const { answer, score, start, end } = await qa.questionAnswering({
      inputs: { question, context },
    });
    expect([...context].slice(start, end).join('')).toBe(answer);
    expect(answer).not.toBe('');
    expect(score).toBeGreaterThan(0);
    expect(score).toBeLessThanOrEqual(1);
  });

  it('takes parameters, and shows the first of several answers', async () => {
    const inputs = { question, context };
    const one = await qa.questionAnswering({ inputs, parameters: { max_answer_len: 1 } });
    expect(one.answer).not.toContain(' ');
    const several = await qa.questionAnswering({ inputs, parameters: { top_k: 3 } });
    expect(several).toEqual(await qa.questionAnswering({ inputs }));
  });
});

describe('the shape of the body', () => {
  it('is an object without top_k and with 1, a list with more', async () => {
    const { answer } = await ask({});
    expect((await ask({ top_k: 1 })).answer).toEqual(answer);
    const { body } = await post({ inputs: { question, context }, parameters: { top_k: 3 } });
    expect(body).toHaveLength(3);
    expect(body[0]).toEqual(answer);
    const scores = (body as WireAnswer[]).map(({ score }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
  });

  it('is a list for a list of questions', async () => {
    const inputs = [
      { question, context },
      { question: 'the rain', context: 'a snow' },
    ];
    const { body } = await post({ inputs });
    expect(body[0]).toEqual((await ask({})).answer);
    expect(body[1]!.answer.length).toBeGreaterThan(0);
    const lists = (await post({ inputs, parameters: { top_k: 2 } })).body as WireAnswer[][];
    expect(lists.map((list) => list[0])).toEqual(body);
  });

  it('has offsets in the unit that was asked for, and names it', async () => {
    for (const [unit, slice] of [
      ['codepoint', (a: number, b: number) => [...context].slice(a, b).join('')],
      ['utf16', (a: number, b: number) => context.slice(a, b)],
      ['byte', (a: number, b: number) => Buffer.from(context).subarray(a, b).toString()],
    ] as const) {
      const { answer, headers } = await ask({ offset_unit: unit, align_to_words: false });
      expect(slice(answer.start, answer.end)).toBe(answer.answer);
      expect(headers.get('x-offset-unit')).toBe(unit);
    }
    expect((await ask({})).headers.get('x-offset-unit')).toBe('codepoint');
  });

  it('says that there is no answer by an empty one', async () => {
    const never = { handle_impossible_answer: true, null_threshold: 1000 };
    expect((await ask(never)).answer.answer).not.toBe('');
    const always = { handle_impossible_answer: true, null_threshold: -1000 };
    expect((await ask(always)).answer).toEqual({ answer: '', score: 1, start: 0, end: 0 });
    const same = await qa.questionAnswering({ inputs: { question, context }, parameters: always });
    expect(same).toMatchObject({ answer: '', start: 0, end: 0 });
    expect((await ask({ null_threshold: -1000 })).answer.answer).not.toBe('');
  });
});

describe('the threshold that a prompt has', () => {
  const options = { seed: 3, task: 'question-answering', labels: ['start', 'end'] } as const;
  const inputs = { question, context };
  const asked = { handle_impossible_answer: true };
  const said = async (model: string, parameters: object) =>
    (await post({ inputs, parameters }, model)).body.answer;

  it('holds where "no answer" may be one and the request has none of its own', async () => {
    await publish('acme', 'always', { ...options, answering: { nullThreshold: -1000 } });
    await publish('acme', 'never', { ...options, answering: { nullThreshold: 1000 } });
    expect(await said('always', asked)).toBe('');
    expect(await said('never', asked)).not.toBe('');
    expect(await said('always', { ...asked, null_threshold: 1000 })).not.toBe('');
    expect(await said('never', { ...asked, null_threshold: -1000 })).toBe('');
    expect(await said('always', { ...asked, null_threshold: null })).toBe('');
    expect(await said('always', {})).not.toBe('');
  });

  it.each(['polyprompt', 'peft'])('outlives an archive of format %s', async (format) => {
    const headers = { authorization: `Bearer ${await key('acme', 'tune')}` };
    const path = `/v1/prompts/always/versions/1/export?format=${format}`;
    const archive = await checkedFetch(url + path, { headers });
    expect(archive.status).toBe(200);
    const copy = await checkedFetch(`${url}/v1/prompts/import?name=${format}-copy`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/x-tar' },
      body: Buffer.from(await archive.arrayBuffer()),
    });
    expect(copy.status).toBe(200);
    expect(await said(`${format}-copy`, asked)).toBe('');
  });
});

describe('a context of 20,000 tokens', () => {
  it('is read in windows', async () => {
    const long = `${'the rain is a snow '.repeat(4000)}bread`;
    const { status, headers, body } = await post({ inputs: { question, context: long } });
    expect(status).toBe(200);
    expect(Number(headers.get('x-compute-tokens'))).toBeGreaterThan(20_000);
    expect(long.slice(body.start, body.end)).toBe(body.answer);
  });
});

describe('bad input', () => {
  const inputs = { question, context };
  it.each([
    [422, /inputs.context/, { inputs: { question, context: '' } }],
    [422, /inputs.context: .*white space/, { inputs: { question, context: ' \n' } }],
    [422, /inputs.question/, { inputs: { question: '', context } }],
    [400, /inputs.context/, { inputs: { question } }],
    [
      422,
      /inputs.question has 200 tokens, the limit is/,
      { inputs: { question: 'rain '.repeat(200), context: context.repeat(20) } },
    ],
    [
      422,
      /inputs\[1\].question has/,
      { inputs: [inputs, { question: 'rain '.repeat(200), context: context.repeat(20) }] },
    ],
    [422, /max_seq_len is 4000/, { inputs, parameters: { max_seq_len: 4000 } }],
    [422, /doc_stride is 50/, { inputs, parameters: { doc_stride: 50, max_seq_len: 40 } }],
    [422, /parameters.top_k/, { inputs, parameters: { top_k: 0 } }],
    [400, /does question-answering: inputs must be/, { inputs: 'a text' }],
  ])('%d, %s', async (status, message, body) => {
    const answer = await post(body);
    expect(answer.body.error).toMatch(message);
    expect(answer.status).toBe(status);
  });

  it('is cut where asked to, and the answer says so', async () => {
    const { status, headers } = await post({
      inputs: { question: 'rain '.repeat(200), context: context.repeat(20) },
      truncate: true,
    });
    expect([status, headers.get('x-truncated')]).toEqual([200, '0']);
  });

  it('of another task is named', async () => {
    const { status, body } = await post({ inputs: { question, context } }, 'topics');
    expect(status).toBe(400);
    expect(body.error).toContain('does text-classification');
  });
});
