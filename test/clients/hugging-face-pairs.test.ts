/** Sentence pairs: inference and paraphrase on Hugging Face's wire. */
import { describe, expect, it } from 'vitest';
import { startServer } from './setup.ts';

const { key, publish, huggingFace, checkedFetch, url } = await startServer();
const secret = await key('acme', 'infer');
const labels = ['entailment', 'neutral', 'contradiction'];
await publish('acme', 'nli', { seed: 4, labels });

interface LabelScore {
  readonly label: string;
  readonly score: number;
}

async function post(inputs: unknown) {
  const response = await checkedFetch(`${url}/models/nli`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secret}` },
    body: JSON.stringify({ inputs }),
  });
  return {
    status: response.status,
    body: (await response.json()) as LabelScore[][] & { readonly error: string },
  };
}

const scores = async (inputs: unknown) => {
  const { status, body } = await post(inputs);
  expect(status).toBe(200);
  return body as LabelScore[][];
};

const pair = { text: 'the rain is a soup', text_pair: 'snow is the bread' };
const swapped = { text: pair.text_pair, text_pair: pair.text };

describe('a pair', () => {
  it('gets one list of labels, through the client and over plain HTTP', async () => {
    const [list, ...others] = await scores(pair);
    expect(others).toEqual([]);
    expect(list!.map(({ label }) => label).sort()).toEqual([...labels].sort());
    // The client's types know texts alone; what it sends is what it is given.
    const inputs = pair as unknown as string;
    expect(await huggingFace(secret, 'nli').textClassification({ inputs })).toEqual(list);
  });

  it('is another input than its texts joined, swapped or alone', async () => {
    const [own] = await scores(pair);
    const joined = `${pair.text} ${pair.text_pair}`;
    for (const other of [joined, swapped, pair.text, { ...pair, text_pair: pair.text }]) {
      expect((await scores(other))[0]).not.toEqual(own);
    }
  });

  it('is answered in a list, beside single texts, as it is alone', async () => {
    const rows = await scores([pair, 'the rain', swapped]);
    const alone = await Promise.all([pair, 'the rain', swapped].map(scores));
    expect(rows).toHaveLength(3);
    for (const [i, row] of rows.entries()) {
      for (const { label, score } of row) {
        const same = alone[i]![0]!.find((each) => each.label === label)!;
        expect(score).toBeCloseTo(same.score, 5);
      }
    }
  });

  it.each([
    [400, 'inputs.text_pair', { text: 'the rain' }],
    [422, 'inputs.text_pair', { text: 'the rain', text_pair: '' }],
    [400, 'inputs[1].text_pair', [pair, { text: 'the rain', text_pair: 7 }]],
    [422, 'tokens, the limit is', { text: 'rain '.repeat(200), text_pair: 'snow '.repeat(200) }],
  ])('%d, %s', async (status, message, inputs) => {
    const answer = await post(inputs);
    expect(answer.body.error).toContain(message);
    expect(answer.status).toBe(status);
  });
});
