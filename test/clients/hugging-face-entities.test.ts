/** Tagging through the unmodified `@huggingface/inference` client, and over plain HTTP. */
import { InferenceClientProviderApiError } from '@huggingface/inference';
import { describe, expect, it } from 'vitest';
import { startServer } from './setup.ts';

const { key, publish, huggingFace, checkedFetch, url } = await startServer();
const secret = await key('acme', 'infer');
const task = 'token-classification' as const;
await publish('acme', 'names', {
  seed: 3,
  task,
  labels: ['B-LOC', 'I-LOC', 'B-PER', 'I-PER', 'O'],
});
await publish('acme', 'words', { seed: 5, task, labels: ['ADJ', 'NOUN', 'VERB'] });
await publish('acme', 'outside', { seed: 6, task, labels: ['O'] });

const names = huggingFace(secret, 'names');
const everything = { ignore_labels: [] as string[] };
const TEXT = '😀 the rain is cold, naïve 北京 and the snow';

async function post(body: object, prompt = 'names') {
  const response = await checkedFetch(`${url}/models/${prompt}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secret}` },
    body: JSON.stringify(body),
  });
  return { response, body: (await response.json()) as never };
}

describe('the client', () => {
  it('gets entities with exact offsets in code points', async () => {
    const entities = await names.tokenClassification({ inputs: TEXT, parameters: everything });
    expect(entities.length).toBeGreaterThan(2);
    const points = [...TEXT];
    for (const { entity_group, score, word, start, end } of entities) {
      expect(points.slice(start, end).join('')).toBe(word);
      expect(['LOC', 'PER', 'O']).toContain(entity_group);
      expect(score).toBeGreaterThan(0);
    }
    const starts = entities.map(({ start }) => start);
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
  });

  it('leaves out O unless told otherwise', async () => {
    const all = await names.tokenClassification({ inputs: TEXT, parameters: everything });
    const named = await names.tokenClassification({ inputs: TEXT });
    expect(named).toEqual(all.filter(({ entity_group }) => entity_group !== 'O'));
  });

  it('takes tokens for "none", which have both entity and entity_group', async () => {
    const parameters = { ...everything, aggregation_strategy: 'none' as const };
    const tokens = await names.tokenClassification({ inputs: TEXT, parameters });
    for (const token of tokens as unknown as {
      entity: string;
      entity_group: string;
      index: number;
    }[]) {
      expect(token.entity.replace(/^[BI]-/, '')).toBe(token.entity_group);
      expect(token.index).toBeGreaterThan(0);
    }
    const points = [...TEXT];
    expect(tokens.map(({ start, end }) => points.slice(start, end).join(''))).toEqual(
      tokens.map(({ word }) => word),
    );
  });

  it('takes an empty list', async () => {
    expect(await huggingFace(secret, 'outside').tokenClassification({ inputs: TEXT })).toEqual([]);
  });

  it.each(['simple', 'first', 'average', 'max'] as const)(
    'takes "%s"',
    async (aggregation_strategy) => {
      const parameters = { ...everything, aggregation_strategy, stride: 4 };
      const entities = await names.tokenClassification({ inputs: TEXT, parameters });
      expect(entities.every(({ word }) => TEXT.includes(word))).toBe(true);
    },
  );

  it('gets parts of speech word by word', async () => {
    const tags = await huggingFace(secret, 'words').tokenClassification({
      inputs: 'the rain is cold',
    });
    expect(tags.map(({ word }) => word)).toEqual(['the', 'rain', 'is', 'cold']);
  });

  it('reads why a stride cannot be', async () => {
    const call = names.tokenClassification({ inputs: TEXT, parameters: { stride: 10_000 } });
    const error = (await call.catch((thrown) => thrown)) as InferenceClientProviderApiError;
    expect(error).toBeInstanceOf(InferenceClientProviderApiError);
    expect(error.httpResponse.status).toBe(422);
    expect(error.message).toMatch(/stride is 10000; windows of \d+ tokens can share from 0 to \d+/);
  });
});

describe('plain HTTP', () => {
  it.each([
    ['codepoint', 2, (text: string) => [...text].slice(2, 5).join('')],
    ['utf16', 3, (text: string) => text.slice(3, 6)],
    ['byte', 5, (text: string) => Buffer.from(text).subarray(5, 8).toString()],
  ])('counts offsets in %s and says so', async (offset_unit, start, cut) => {
    const parameters = { offset_unit };
    const { response, body } = await post({ inputs: TEXT, parameters }, 'words');
    expect(response.headers.get('x-offset-unit')).toBe(offset_unit);
    expect(body[1]).toMatchObject({ word: 'the', start, end: start + 3 });
    expect(cut(TEXT)).toBe('the');
  });

  it('answers an array with a list of lists, as for each text alone', async () => {
    const { response, body } = await post({ inputs: [TEXT, 'the snow'] });
    expect(response.headers.get('x-offset-unit')).toBe('codepoint');
    expect(body).toEqual([
      await names.tokenClassification({ inputs: TEXT }),
      await names.tokenClassification({ inputs: 'the snow' }),
    ]);
    expect((await post({ inputs: ['the snow'] })).body).toHaveLength(1);
  });

  it('takes words that are split already', async () => {
    const { body } = await post({ inputs: { tokens: ['the', 'snow', '😀'] } }, 'words');
    expect(body).toMatchObject([
      { word: 'the', start: 0 },
      { word: 'snow', start: 4 },
      { word: '😀', start: 9, end: 10 },
    ]);
  });

  it('windows a text of any length', async () => {
    const text = 'the rain is cold . '.repeat(500).trim();
    const { response, body } = await post(
      { inputs: text, parameters: { offset_unit: 'utf16' } },
      'words',
    );
    expect(response.status).toBe(200);
    const tags = body as { word: string; start: number; end: number }[];
    expect(tags.map(({ start, end }) => text.slice(start, end)).join(' ')).toBe(text);
  });

  it.each([
    [
      { inputs: { question: 'who?', context: 'me' } },
      400,
      /does token-classification: inputs must be a text/,
    ],
    [{ inputs: '' }, 422, /must not be empty/],
    [{ inputs: { tokens: [] } }, 422, /tokens/],
    [{ inputs: 'a', parameters: { aggregation_strategy: 'mean' } }, 400, /aggregation_strategy/],
    [{ inputs: 'a', parameters: { stride: -1 } }, 422, /stride/],
  ])('refuses %j', async (body, status, message) => {
    const { response, body: answer } = await post(body);
    expect(response.status).toBe(status);
    expect((answer as { error: string }).error).toMatch(message);
  });
});
