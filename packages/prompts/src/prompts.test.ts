import { mkdtempSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeSafetensors, encodeSafetensors } from '@polyprompt/safetensors';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  assertBackbone,
  type CardDetails,
  contentHash,
  decodeCard,
  decodePrompt,
  encodeCard,
  encodePrompt,
  METHODS,
  POOLING_RULES,
  POSITION_RULES,
  type Prompt,
  PromptError,
  packPrompt,
  parameterCount,
  promptLength,
  readPrompt,
  TASKS,
  type Tensor,
  unpackPrompt,
  verifyPrompt,
  writePrompt,
} from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'prompts-'));
afterAll(() => rmSync(folder, { recursive: true }));

function ramp(...shape: number[]): Tensor {
  const length = shape.reduce((product, size) => product * size, 1);
  return { shape, data: Float32Array.from({ length }, (_, i) => (i - length / 3) / 7) };
}

const backbone = contentHash('a backbone');
const prompt: Prompt = {
  task: 'text-classification',
  labels: ['sports', 'politics', '天気'],
  method: 'prefix',
  backbone,
  backboneName: 'polyprompt-mini',
  positions: 'shifted',
  pooling: 'mean',
  prefix: ramp(2, 2, 2, 4, 3),
  headWeight: ramp(6, 3),
  headBias: ramp(3),
  training: {
    recipe: 'default',
    seed: 1,
    epochs: 3,
    steps: 90,
    best: 60,
    examples: { train: 300, dev: 50 },
    languages: ['en'],
    metric: 'accuracy',
    score: 0.91,
  },
};
const details: CardDetails = {
  created: '2025-03-01T12:00:00Z',
  data: [
    {
      role: 'train',
      name: 'train.jsonl',
      hash: contentHash('x'),
      bytes: 1,
      examples: 300,
      languages: { en: 300 },
    },
  ],
  settings: { learning_rate: 0.005, length: 4 },
  metrics: { dev: { overall: { accuracy: 0.91 }, languages: { en: { accuracy: 0.91 } } } },
  lineage: { parent: null },
  versions: { 'onnxruntime-node': '1.30.0' },
  wall_seconds: 12.5,
  device: 'cpu',
};

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof PromptError) return error.code;
    throw error;
  }
  return 'no error';
}

/** The encoded prompt with its metadata changed, as another writer could have made it. */
function withMetadata(change: Record<string, string>): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(encodePrompt(prompt));
  return encodeSafetensors(tensors, { ...metadata, ...change });
}

describe('encodePrompt and decodePrompt', () => {
  const size = fc.integer({ min: 1, max: 3 });
  const promptArbitrary: fc.Arbitrary<Prompt> = fc
    .record({
      task: fc.constantFrom(...TASKS),
      method: fc.constantFrom(...METHODS),
      positions: fc.constantFrom(...POSITION_RULES),
      pooling: fc.constantFrom(...POOLING_RULES.filter((rule) => !rule.startsWith('virtual'))),
      labels: fc.uniqueArray(fc.string({ minLength: 1, unit: 'binary' }), {
        minLength: 2,
        maxLength: 2,
      }),
      seed: fc.nat(),
      score: fc.double({ noNaN: true, noDefaultInfinity: true }),
      dims: fc.tuple(size, size, size, size),
    })
    .map(({ method, seed, score, dims: [layers, heads, length, width], ...rest }) => ({
      ...prompt,
      ...rest,
      method,
      training: { ...prompt.training, seed, score: score + 0 },
      prefix: undefined,
      ...(method === 'prefix' && { prefix: ramp(layers, 2, heads, length, width) }),
      ...(method === 'soft' && { softPrompt: ramp(length, heads * width) }),
      headWeight: ramp(heads * width, 2),
      headBias: ramp(2),
    }))
    .map(({ prefix, ...rest }) => (prefix === undefined ? rest : { ...rest, prefix }));

  it('round-trip every kind of prompt exactly', () => {
    fc.assert(
      fc.property(promptArbitrary, (original) => {
        expect(decodePrompt(encodePrompt(original))).toEqual(original);
      }),
    );
  });

  it('give the same bytes for the same prompt, whatever the order of its fields', () => {
    const shuffled = Object.fromEntries(Object.entries(prompt).reverse()) as unknown as Prompt;
    const training = Object.fromEntries(Object.entries(prompt.training).reverse());
    const other = { ...shuffled, training: training as Prompt['training'] };
    expect(encodePrompt(other)).toEqual(encodePrompt(prompt));
  });

  it('store float16 on request, read back as float32', () => {
    const bytes = encodePrompt(prompt, { dtype: 'float16' });
    expect(decodeSafetensors(bytes).tensors.get('prefix')?.dtype).toBe('F16');
    const back = decodePrompt(bytes).prefix!.data;
    for (const [i, value] of prompt.prefix!.data.entries()) {
      expect(Math.abs(back[i]! - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** -11);
    }
    const large = { ...prompt, headBias: { shape: [3], data: Float32Array.of(0, 1e5, 0) } };
    expect(() => encodePrompt(large, { dtype: 'float16' })).toThrow(
      /head.bias holds 100000 at index 1/,
    );
    expect(decodePrompt(encodePrompt(large)).headBias).toEqual(large.headBias);
  });

  it('keep a dense layer, in the format that older releases refuse', () => {
    const dense = { ...prompt, denseWeight: ramp(6, 6), denseBias: ramp(6) };
    const bytes = encodePrompt(dense);
    expect(decodePrompt(bytes)).toEqual(dense);
    const versionOf = (file: Uint8Array) => decodeSafetensors(file).metadata.format_version;
    expect([versionOf(encodePrompt(prompt)), versionOf(bytes)]).toEqual(['1', '2']);
    expect(parameterCount(dense)).toBe(parameterCount(prompt) + 42);
    expect(decodeCard(packPrompt(dense, details).card).format_version).toBe(2);
  });

  it('keep settings of answers, in the format that older releases refuse; files without stay as they were', () => {
    const qa: Prompt = {
      ...prompt,
      task: 'question-answering',
      labels: ['start', 'end'],
      headWeight: ramp(6, 2),
      headBias: ramp(2),
    };
    const chosen = { ...qa, answering: { nullThreshold: -1.25 } };
    const bytes = encodePrompt(chosen);
    expect(decodePrompt(bytes)).toEqual(chosen);
    expect(decodeSafetensors(bytes).metadata).toMatchObject({ format_version: '3' });
    const card = decodeCard(packPrompt(chosen, details).card);
    expect(card).toMatchObject({ format_version: 3, answering: { nullThreshold: -1.25 } });
    // As every release has written it.
    const { metadata } = decodeSafetensors(encodePrompt(qa));
    expect(metadata).not.toHaveProperty('answering');
    expect(metadata.format_version).toBe('1');
    expect(decodePrompt(encodePrompt(qa))).not.toHaveProperty('answering');
    expect(decodeCard(packPrompt(qa, details).card)).not.toHaveProperty('answering');
  });

  it('refuse a newer format, naming both versions', () => {
    expect(() => decodePrompt(withMetadata({ format_version: '4' }))).toThrow(
      'prompt.safetensors: written in format 4, this release reads up to 3; upgrade polyprompt',
    );
    expect(codeOf(() => decodePrompt(withMetadata({ format_version: '4' })))).toBe(
      'format_too_new',
    );
  });

  it('refuse files that are no prompts', () => {
    expect(codeOf(() => decodePrompt(new Uint8Array(100)))).toBe('not_a_prompt');
    expect(codeOf(() => decodePrompt(encodeSafetensors([], { format: 'pt' })))).toBe(
      'not_a_prompt',
    );
    expect(codeOf(() => decodePrompt(withMetadata({ task: 'translation' })))).toBe('bad_prompt');
    expect(codeOf(() => decodePrompt(withMetadata({ labels: '["a"' })))).toBe('bad_prompt');
    const { tensors, metadata } = decodeSafetensors(encodePrompt(prompt));
    const headless = [...tensors].filter(([name]) => name !== 'head.bias');
    expect(() => decodePrompt(encodeSafetensors(headless, metadata))).toThrow(
      /no tensor "head.bias"/,
    );
  });

  it('refuse a head of 8-bit floats', () => {
    const { tensors, metadata } = decodeSafetensors(encodePrompt(prompt));
    const { shape, data } = tensors.get('head.bias')!;
    const head = { dtype: 'F8_E4M3', shape, data: new Uint8Array(data.length) } as const;
    const bytes = encodeSafetensors(new Map([...tensors, ['head.bias', head]]), metadata);
    expect(() => decodePrompt(bytes)).toThrow(PromptError);
    expect(() => decodePrompt(bytes)).toThrow(/head.bias.*F8_E4M3/);
  });

  it('refuse a million things that are wrong in a few words', () => {
    const messageOf = (labels: string) => {
      try {
        decodePrompt(withMetadata({ labels }));
      } catch (error) {
        if (error instanceof PromptError) return error.message;
        throw error;
      }
      return '';
    };
    const numbers = messageOf(JSON.stringify(Array(100_000).fill(1)));
    expect(numbers).toContain('labels[0]');
    expect(numbers).toContain('and 99990 more');
    expect(numbers.length).toBeLessThan(2000);
    const text = messageOf('x'.repeat(1_000_000));
    expect(text).toContain('"labels" is not JSON');
    expect(text.length).toBeLessThan(2000);
  });

  // To compare each label with each takes half a minute, in which a server would answer nobody.
  it('find a repeated label among very many', { timeout: 15_000 }, () => {
    const labels = Array.from({ length: 200_000 }, (_, i) => `label ${i}`);
    const bytes = (names: readonly string[]) => withMetadata({ labels: JSON.stringify(names) });
    expect(() => decodePrompt(bytes(labels))).toThrow('200000 labels, but a head.weight for 3');
    expect(() => decodePrompt(bytes([...labels, 'label 7']))).toThrow('"label 7" occurs twice');
  });

  it('answer mutated bytes with a PromptError or a prompt', () => {
    const bytes = encodePrompt(prompt);
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 255 }), (at, value) => {
        expect(codeOf(() => decodePrompt(bytes.with(at, value)))).toBeTypeOf('string');
      }),
      { numRuns: 1000 },
    );
  });

  it.each<[string, Partial<Prompt>, RegExp]>([
    ['repeated label', { labels: ['a', 'b', 'a'] }, /label "a" occurs twice/],
    ['label count', { labels: ['a', 'b'] }, /2 labels, but a head.weight for 3/],
    ['bias size', { headBias: ramp(2) }, /head.bias for 2/],
    ['head rank', { headWeight: ramp(18) }, /head.weight \[18\] must have 2 dimensions/],
    [
      'values missing',
      { headBias: { shape: [3], data: new Float32Array(2) } },
      /needs 3 values, has 2/,
    ],
    [
      'keys without values',
      { prefix: ramp(2, 1, 2, 4, 3) },
      /\[layers, 2, heads, length, headDim\]/,
    ],
    [
      'method of another tensor',
      { method: 'soft', softPrompt: ramp(4, 5) },
      /must be \[length, 6\]/,
    ],
    ['superfluous tensor', { softPrompt: ramp(4, 6) }, /no soft_prompt/],
    ['half a dense layer', { denseWeight: ramp(6, 6) }, /belong together/],
    ['dense shape', { denseWeight: ramp(6, 5), denseBias: ramp(6) }, /must be \[6, 6\]/],
    [
      'dense layer of a tagger',
      { task: 'token-classification', denseWeight: ramp(6, 6), denseBias: ramp(6) },
      /no dense layer/,
    ],
    ['virtual state', { pooling: 'virtual' }, /reads a position of a soft_prompt/],
    ['head with a prefix', { method: 'head' }, /neither/],
    ['QA classes', { task: 'question-answering' }, /start and end, not 3/],
    ['threshold of another task', { answering: { nullThreshold: 0 } }, /belongs to question-answ/],
    ['threshold', { answering: { nullThreshold: Number.NaN } }, /nullThreshold/],
    ['fingerprint', { backbone: 'xlm-r' }, /64 hex digits/],
    [
      'diverged',
      { headBias: { shape: [3], data: Float32Array.of(0, Number.NaN, 0) } },
      /NaN at index 1/,
    ],
  ])('refuse a prompt with a bad %s', (_, change, message) => {
    expect(() => encodePrompt({ ...prompt, ...change })).toThrow(message);
    expect(() => encodePrompt({ ...prompt, ...change })).toThrow(PromptError);
  });
});

describe('sizes', () => {
  it('count the trained prompt, not what it compiles to', () => {
    const soft: Prompt = { ...prompt, method: 'soft', softPrompt: ramp(4, 6) };
    expect([promptLength(prompt), parameterCount(prompt)]).toEqual([4, 96 + 18 + 3]);
    expect([promptLength(soft), parameterCount(soft)]).toEqual([4, 24 + 18 + 3]);
    expect(promptLength({})).toBe(0);
  });
});

describe('assertBackbone', () => {
  it('refuses another backbone, naming both and what to do', () => {
    const fingerprint = contentHash('another');
    assertBackbone(prompt, { name: 'renamed', fingerprint: backbone });
    const refuse = () => assertBackbone(prompt, { name: 'xlm-r', fingerprint });
    expect(codeOf(refuse)).toBe('wrong_backbone');
    for (const part of [
      'polyprompt-mini',
      backbone,
      'xlm-r',
      fingerprint,
      'train the prompt again',
    ]) {
      expect(refuse).toThrow(part);
    }
  });
});

describe('folders', () => {
  it('are written whole and read back, card and prompt', () => {
    const path = join(folder, 'new', 'v1');
    const card = writePrompt(path, prompt, details);
    expect(readdirSync(path).sort()).toEqual(['card.json', 'prompt.safetensors']);
    const back = readPrompt(path, { backbone: { name: 'polyprompt-mini', fingerprint: backbone } });
    expect(back).toEqual({ prompt, card });
    expect(card).toMatchObject({
      ...details,
      backbone: { name: 'polyprompt-mini', fingerprint: backbone },
      length: 4,
      parameters: 117,
      prompt: { hash: contentHash(readFileSync(join(path, 'prompt.safetensors'))) },
    });
    expect(verifyPrompt(path)).toEqual([]);
    const fingerprint = contentHash('another');
    expect(codeOf(() => readPrompt(path, { backbone: { name: 'x', fingerprint } }))).toBe(
      'wrong_backbone',
    );
  });

  it('differ in the card alone when only time and device differ', () => {
    const one = packPrompt(prompt, details);
    const two = packPrompt(prompt, { ...details, created: '2026-01-01T00:00:00Z', device: 'cuda' });
    expect(two.prompt).toEqual(one.prompt);
    expect(two.card).not.toEqual(one.card);
  });

  it('without a card or a prompt are incomplete', () => {
    for (const missing of ['card.json', 'prompt.safetensors']) {
      const path = join(folder, `without-${missing}`);
      writePrompt(path, prompt, details);
      unlinkSync(join(path, missing));
      expect(codeOf(() => readPrompt(path))).toBe('incomplete');
      expect(verifyPrompt(path).map(({ message }) => message)).toEqual([
        expect.stringContaining(missing),
      ]);
    }
    expect(codeOf(() => readPrompt(join(folder, 'nowhere')))).toBe('incomplete');
    const file = join(folder, 'file');
    writeFileSync(file, '');
    expect(codeOf(() => readPrompt(file))).toBe('incomplete');
    expect(verifyPrompt(file).map(({ code }) => code)).toEqual(['incomplete', 'incomplete']);
  });

  it('refuse bad details before anything is written', () => {
    const path = join(folder, 'bad-details');
    const write = () => writePrompt(path, prompt, { ...details, created: 'yesterday' });
    expect(write).toThrow(/card.json: .*created/s);
    expect(codeOf(() => readPrompt(path))).toBe('incomplete');
    expect(readdirSync(folder)).not.toContain('bad-details');
  });

  it('name every damaged file', () => {
    const path = join(folder, 'damaged');
    writePrompt(path, prompt, details);
    const [card, file] = [join(path, 'card.json'), join(path, 'prompt.safetensors')];
    const found = () => verifyPrompt(path).map(({ message }) => message);
    writeFileSync(file, readFileSync(file).subarray(0, -4));
    expect(found()).toEqual([expect.stringContaining(`${file}: damaged`)]);
    writeFileSync(card, readFileSync(card, 'utf8').replace('cpu', 'gpu'));
    expect(found()).toEqual([
      expect.stringContaining(`${card}: damaged`),
      expect.stringContaining(`${file}: truncated`),
    ]);
  });
});

describe('one flipped bit', () => {
  const packed = packPrompt(prompt, details);

  it('anywhere in the card is found, white space included', () => {
    for (let at = 0; at < packed.card.length; at++) {
      const card = packed.card.with(at, packed.card[at]! ^ (1 << (at % 8)));
      if (codeOf(() => unpackPrompt({ ...packed, card })) !== 'damaged') expect(at).toBe('found');
    }
    expect(() => unpackPrompt({ ...packed, card: packed.card.subarray(1) })).toThrow(
      /card.json: damaged/,
    );
  });

  it('anywhere in the prompt is found', () => {
    for (let at = 0; at < packed.prompt.length; at++) {
      const bytes = packed.prompt.with(at, packed.prompt[at]! ^ (1 << (at % 8)));
      if (codeOf(() => unpackPrompt({ ...packed, prompt: bytes })) !== 'damaged')
        expect(at).toBe('found');
    }
    expect(() => unpackPrompt({ ...packed, prompt: packed.prompt.with(40, 0) })).toThrow(
      /prompt.safetensors: damaged: its hash is sha256:[0-9a-f]+, its card says sha256:/,
    );
  });
});

describe('decodeCard', () => {
  it('refuses lists in lists without end', () => {
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    const bytes = new TextEncoder().encode(`{"hash": "x", "labels": ${deep}}`);
    expect(codeOf(() => decodeCard(bytes))).toBe('damaged');
  });

  it('refuses a newer format and a card that lacks a field, though their hashes are right', () => {
    const { hash: _, ...card } = decodeCard(packPrompt(prompt, details).card);
    const signed = (content: Record<string, unknown>) => {
      // Sorting needs the package's own canonical form: encodeCard sorts, so its text reparsed is sorted.
      const sorted = JSON.parse(new TextDecoder().decode(encodeCard(content as never)));
      return encodeCard({ ...sorted, hash: contentHash(JSON.stringify(sorted)) });
    };
    expect(decodeCard(signed(card)).device).toBe('cpu');
    expect(codeOf(() => decodeCard(signed({ ...card, format_version: 4 })))).toBe('format_too_new');
    const { device: __, ...deviceless } = card;
    expect(() => decodeCard(signed(deviceless))).toThrow(/device/);
    expect(codeOf(() => decodeCard(signed(deviceless)))).toBe('bad_card');
  });
});
