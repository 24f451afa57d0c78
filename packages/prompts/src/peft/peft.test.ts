import {
  decodeSafetensors,
  encodeSafetensors,
  float32ToFloat16,
  type TensorData,
} from '@polyprompt/safetensors';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentHash } from '../canonical.ts';
import { PromptError } from '../errors.ts';
import { packPrompt, unpackPrompt } from '../folder.ts';
import { POOLING_RULES, type Prompt, type Tensor } from '../prompt.ts';
import {
  exportPeft,
  importPeft,
  isPeft,
  labelsOfFile,
  type PeftBackbone,
  type PeftFiles,
} from './index.ts';
import { prefixFromTable, tableFromPrefix } from './layout.ts';

const [layers, heads, headDim] = [2, 3, 2];
const hidden = heads * headDim;
let n = 0;
const ramp = (...shape: number[]): Tensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.sin(++n)),
});
const tensor = (...shape: number[]): TensorData => ({ dtype: 'F32', ...ramp(...shape) });
const pooler = { weight: ramp(hidden, hidden), bias: ramp(hidden) };

function backbone(
  family: PeftBackbone['family'] = 'roberta',
  more: Partial<PeftBackbone> = {},
): PeftBackbone {
  const hasPooler = family !== 'xglm';
  return {
    name: 'xlm-roberta-base',
    fingerprint: contentHash(family),
    family,
    layers,
    heads,
    hidden,
    maxLength: 50,
    hasPooler,
    pooler: () => (hasPooler ? pooler : undefined),
    ...more,
  };
}

const LABELS = ['bad', 'good', 'none'];
const CONFIG = {
  auto_mapping: null,
  base_model_name_or_path: 'FacebookAI/xlm-roberta-base',
  inference_mode: true,
  modules_to_save: ['classifier', 'score'],
  num_attention_heads: heads,
  num_layers: layers,
  num_transformer_submodules: 1,
  num_virtual_tokens: 4,
  peft_type: 'PREFIX_TUNING',
  task_type: 'TOKEN_CLS',
  token_dim: hidden,
};
const TENSORS: Record<string, TensorData> = {
  prompt_embeddings: tensor(4, 2 * layers * hidden),
  'base_model.classifier.weight': tensor(3, hidden),
  'base_model.classifier.bias': tensor(3),
};

/** A sound adapter for tagging with some of it changed; undefined takes a thing away. */
function adapter(
  config: Record<string, unknown> = {},
  tensors: Record<string, TensorData | undefined> = {},
  files: Record<string, Uint8Array | undefined> = {},
): PeftFiles {
  const all = Object.entries({ ...TENSORS, ...tensors }).filter(
    (entry): entry is [string, TensorData] => entry[1] !== undefined,
  );
  const made = {
    'adapter_config.json': Buffer.from(JSON.stringify({ ...CONFIG, ...config })),
    'adapter_model.safetensors': encodeSafetensors(all, { format: 'pt' }),
    ...files,
  };
  return Object.fromEntries(
    Object.entries(made).filter(([, bytes]) => bytes !== undefined),
  ) as PeftFiles;
}

const read = (files: PeftFiles, more: Partial<Parameters<typeof importPeft>[1]> = {}) =>
  importPeft(files, { backbone: backbone(), labels: LABELS, now: () => 0, ...more });

function failure(run: () => unknown): { code: string; message: string } {
  try {
    run();
  } catch (error) {
    if (error instanceof PromptError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: 'no error', message: '' };
}

describe('the layout of a prefix', () => {
  it('puts keys and values of layer l at 2l and 2l + 1, head by head', () => {
    const table = ramp(4, 2 * layers * hidden);
    const prefix = prefixFromTable(table, layers, heads);
    expect(prefix.shape).toEqual([layers, 2, heads, 4, headDim]);
    for (const [l, kv, head, t, j] of [
      [0, 0, 0, 0, 0],
      [1, 0, 2, 3, 1],
      [0, 1, 1, 2, 0],
      [1, 1, 2, 3, 1],
    ] as const) {
      const at = (((l * 2 + kv) * heads + head) * 4 + t) * headDim + j;
      const from = t * 2 * layers * hidden + (2 * l + kv) * hidden + head * headDim + j;
      expect(prefix.data[at]).toBe(table.data[from]);
    }
    expect(tableFromPrefix(prefix)).toEqual(table);
  });
});

describe('an adapter', () => {
  it('of PREFIX_TUNING becomes a prefix with its head, transposed', () => {
    const { prompt, notes, details } = read(adapter());
    expect(prompt).toMatchObject({
      task: 'token-classification',
      method: 'prefix',
      positions: 'shifted',
      pooling: 'first',
      labels: LABELS,
      backboneName: 'xlm-roberta-base',
    });
    const weight = TENSORS['base_model.classifier.weight']!.data as Float32Array;
    expect(prompt.headWeight.shape).toEqual([hidden, 3]);
    expect(prompt.headWeight.data[1 * 3 + 2]).toBe(weight[2 * hidden + 1]);
    expect(notes).toEqual([]);
    expect(details.settings).toMatchObject({ imported_from: 'peft', peft_type: 'PREFIX_TUNING' });
    expect(unpackPrompt(packPrompt(prompt, details)).prompt).toEqual(prompt);
  });

  it('of P_TUNING or PROMPT_TUNING becomes a soft prompt', () => {
    for (const peft_type of ['P_TUNING', 'PROMPT_TUNING']) {
      const { prompt } = read(adapter({ peft_type }, { prompt_embeddings: tensor(4, hidden) }));
      expect(prompt).toMatchObject({ method: 'soft', softPrompt: { shape: [4, hidden] } });
      expect(prompt.prefix).toBeUndefined();
    }
  });

  it('in float16 is read as float32', () => {
    const { shape, data } = TENSORS.prompt_embeddings!;
    const halves = { dtype: 'F16', shape, data: float32ToFloat16(data as Float32Array) } as const;
    const { prefix } = read(adapter({}, { prompt_embeddings: halves })).prompt;
    const exact = read(adapter()).prompt.prefix!;
    expect(
      Math.max(...prefix!.data.map((value, i) => Math.abs(value - exact.data[i]!))),
    ).toBeLessThan(1e-3);
  });

  it('for sequences has the head of its model: dense and out_proj, classifier behind the pooler, score', () => {
    const none = {
      'base_model.classifier.weight': undefined,
      'base_model.classifier.bias': undefined,
    };
    const roberta = {
      ...none,
      'base_model.classifier.dense.weight': tensor(hidden, hidden),
      'base_model.classifier.dense.bias': tensor(hidden),
      'base_model.classifier.out_proj.weight': tensor(3, hidden),
      'base_model.classifier.out_proj.bias': tensor(3),
    };
    const sequence = { task_type: 'SEQ_CLS' };
    const dense = read(adapter(sequence, roberta)).prompt;
    expect(dense).toMatchObject({ pooling: 'first', denseWeight: { shape: [hidden, hidden] } });
    const [o, i] = [1, 4];
    expect(dense.denseWeight!.data[i * hidden + o]).toBe(
      (roberta['base_model.classifier.dense.weight'].data as Float32Array)[o * hidden + i],
    );
    // The checkpoint's own pooler, whoever put it there, is not carried along.
    const own = {
      ...roberta,
      'base_model.classifier.dense.weight': { dtype: 'F32', ...pooler.weight },
      'base_model.classifier.dense.bias': { dtype: 'F32', ...pooler.bias },
    } as const;
    const pooled = read(adapter(sequence, own)).prompt;
    expect(pooled.pooling).toBe('pooler');
    expect(pooled.denseWeight).toBeUndefined();

    expect(read(adapter(sequence), { backbone: backbone('bert') }).prompt.pooling).toBe('pooler');
    const bare = backbone('bert', { hasPooler: false });
    expect(failure(() => read(adapter(sequence), { backbone: bare })).code).toBe(
      'unsupported_adapter',
    );
    const score = { ...none, 'base_model.score.weight': tensor(3, hidden) };
    const decoder = read(adapter(sequence, score), { backbone: backbone('xglm') }).prompt;
    expect(decoder.pooling).toBe('last');
    expect([...decoder.headBias.data]).toEqual([0, 0, 0]);
  });

  it('of PROMPT_TUNING for sequences reads the first virtual token, not the first of the text', () => {
    const soft = { task_type: 'SEQ_CLS', peft_type: 'PROMPT_TUNING' };
    const bert = read(adapter(soft, { prompt_embeddings: tensor(4, hidden) }), {
      backbone: backbone('bert'),
    });
    expect(bert.prompt.pooling).toBe('virtual-pooler');
  });

  it('takes its labels from the option, from polyprompt.json or from the config.json beside it', () => {
    const model = Buffer.from(JSON.stringify({ id2label: { 1: 'b', 0: 'a', 2: 'c' } }));
    const beside = adapter({}, {}, { 'config.json': model });
    expect(read(beside, { labels: undefined }).prompt.labels).toEqual(['a', 'b', 'c']);
    expect(read(beside).prompt.labels).toEqual(LABELS);
    expect(failure(() => read(adapter(), { labels: undefined })).message).toMatch(
      /does not hold its labels: give 3 in the order/,
    );
    expect(failure(() => read(adapter(), { labels: ['a'] })).message).toMatch(
      /1 labels are given \(a\), the head has 3/,
    );
    const gap = Buffer.from(JSON.stringify({ id2label: { 0: 'a', 2: 'c', 3: 'd' } }));
    expect(
      failure(() => read(adapter({}, {}, { 'config.json': gap }), { labels: undefined })).message,
    ).toMatch(/none for 1/);
  });

  it('has labels in a list or in a config.json, or the file is refused', () => {
    const of = (value: unknown) => labelsOfFile(Buffer.from(JSON.stringify(value)), 'labels.json');
    expect(of(['a', 'b'])).toEqual(['a', 'b']);
    expect(of({ id2label: { 1: 'b', 0: 'a' } })).toEqual(['a', 'b']);
    for (const wrong of [{}, [1], 'a', null]) {
      expect(failure(() => of(wrong)).message).toMatch(/labels.json has no labels/);
    }
  });

  it('that names another model is read, with a note', () => {
    const { notes } = read(adapter({ base_model_name_or_path: 'roberta-base' }));
    expect(notes).toEqual([expect.stringContaining('names roberta-base as its model')]);
  });

  it.each<[string, PeftFiles, string, RegExp]>([
    [
      'a pickle',
      adapter(
        {},
        {},
        { 'adapter_model.safetensors': undefined, 'adapter_model.bin': Buffer.from('x') },
      ),
      'unsupported_adapter',
      /pickle.*save_file/,
    ],
    [
      'no weights',
      adapter({}, {}, { 'adapter_model.safetensors': undefined }),
      'bad_adapter',
      /no adapter_model.safetensors/,
    ],
    [
      'no config',
      adapter({}, {}, { 'adapter_config.json': undefined }),
      'bad_adapter',
      /no adapter_config.json/,
    ],
    [
      'a config that is no JSON',
      adapter({}, {}, { 'adapter_config.json': Buffer.from('{') }),
      'bad_adapter',
      /not JSON/,
    ],
    [
      'weights that are none',
      adapter({}, {}, { 'adapter_model.safetensors': Buffer.from('x'.repeat(50)) }),
      'bad_adapter',
      /adapter_model.safetensors/,
    ],
    [
      'LoRA',
      adapter({ peft_type: 'LORA', num_layers: undefined }),
      'unsupported_adapter',
      /peft_type is "LORA"; importable are PREFIX_TUNING/,
    ],
    ['a missing count', adapter({ num_layers: undefined }), 'bad_adapter', /num_layers/],
    [
      'encoder and decoder',
      adapter({ num_transformer_submodules: 2 }),
      'unsupported_adapter',
      /num_transformer_submodules is 2/,
    ],
    [
      'generation',
      adapter({ task_type: 'CAUSAL_LM' }),
      'unsupported_adapter',
      /task_type is CAUSAL_LM/,
    ],
    ['no task', adapter({ task_type: null }), 'unsupported_adapter', /not set.*give the task/],
    [
      'fewer layers',
      adapter({ num_layers: 1 }),
      'wrong_backbone',
      /num_layers is 1, the backbone "xlm-roberta-base" has 2/,
    ],
    [
      'other heads',
      adapter({ num_attention_heads: 1 }),
      'wrong_backbone',
      /num_attention_heads is 1/,
    ],
    ['another width', adapter({ token_dim: 8 }), 'wrong_backbone', /token_dim is 8.*FacebookAI/],
    [
      'more tokens than fit',
      adapter({ num_virtual_tokens: 51 }),
      'wrong_backbone',
      /has room for 50/,
    ],
    [
      'another table',
      adapter({ num_virtual_tokens: 5 }),
      'bad_adapter',
      /"prompt_embeddings" is \[4,24\], its config asks for \[5,24\]/,
    ],
    [
      'no table',
      adapter({}, { prompt_embeddings: undefined }),
      'bad_adapter',
      /no tensor "prompt_embeddings"/,
    ],
    [
      "LoRA's key prefix",
      adapter(
        {},
        {
          'base_model.classifier.weight': undefined,
          'base_model.model.classifier.weight': tensor(3, hidden),
        },
      ),
      'bad_adapter',
      /no "base_model.classifier.weight".*base_model.model.classifier.weight/,
    ],
    [
      'no head',
      adapter(
        {},
        { 'base_model.classifier.weight': undefined, 'base_model.classifier.bias': undefined },
      ),
      'bad_adapter',
      /modules_to_save/,
    ],
    [
      'a tensor too many',
      adapter({}, { 'base_model.qa_outputs.weight': tensor(2, hidden) }),
      'bad_adapter',
      /do not explain: base_model.qa_outputs.weight/,
    ],
    [
      'a linear head where RoBERTa has two layers',
      adapter({ task_type: 'SEQ_CLS' }),
      'bad_adapter',
      /out_proj.weight/,
    ],
    [
      'NaN',
      adapter(
        {},
        {
          'base_model.classifier.bias': {
            dtype: 'F32',
            shape: [3],
            data: Float32Array.of(0, Number.NaN, 0),
          },
        },
      ),
      'not_finite',
      /NaN at index 1/,
    ],
  ])('with %s is refused', (_, files, code, message) => {
    const error = failure(() => read(files, { source: 'my-adapter' }));
    expect(error).toEqual({ code, message: expect.stringMatching(message) });
  });

  it('with the task missing takes the one given, and no other than its own', () => {
    const task = 'token-classification';
    expect(read(adapter({ task_type: null }), { task }).prompt.task).toBe(task);
    const other = failure(() => read(adapter(), { task: 'question-answering' }));
    expect(other.message).toContain('task_type is TOKEN_CLS, which is not question-answering');
  });

  it('is recognised by its files', () => {
    expect(isPeft(['adapter_config.json', 'x'])).toBe(true);
    expect(isPeft(['adapter_model.bin'])).toBe(true);
    expect(isPeft(['prompt.safetensors', 'card.json'])).toBe(false);
  });
});

describe('a prompt as an adapter', () => {
  const training = {
    recipe: 'x',
    seed: 1,
    epochs: 1,
    steps: 1,
    best: 1,
    examples: { train: 1, dev: 0 },
    languages: [],
    metric: 'accuracy',
    score: 1,
  };
  const make = (family: PeftBackbone['family'], more: Partial<Prompt>): Prompt => ({
    task: 'text-classification',
    labels: LABELS,
    method: 'prefix',
    backbone: contentHash(family),
    backboneName: 'xlm-roberta-base',
    positions: 'shifted',
    pooling: 'mean',
    headWeight: ramp(hidden, 3),
    headBias: ramp(3),
    training,
    ...(more.method === 'soft'
      ? { softPrompt: ramp(4, hidden) }
      : { prefix: ramp(layers, 2, heads, 4, headDim) }),
    ...more,
  });
  const dense = {
    pooling: 'first',
    denseWeight: ramp(hidden, hidden),
    denseBias: ramp(hidden),
  } as const;

  it('and back is the same to the last bit, head in it or beside it', () => {
    const kinds = fc.record({
      family: fc.constantFrom('roberta', 'bert', 'xglm'),
      soft: fc.boolean(),
      pooling: fc.constantFrom(...POOLING_RULES),
      task: fc.constantFrom('text-classification', 'token-classification', 'question-answering'),
      withDense: fc.boolean(),
    });
    fc.assert(
      fc.property(kinds, ({ family, soft, pooling, task, withDense }) => {
        if (pooling.startsWith('virtual') && !soft) return;
        if (pooling.includes('pooler') && family === 'xglm') return;
        const classify = task === 'text-classification';
        const prompt = make(family, {
          task,
          method: soft ? 'soft' : 'prefix',
          // Only a classification head pools.
          pooling: classify ? pooling : 'first',
          ...(classify && withDense
            ? { denseWeight: dense.denseWeight, denseBias: dense.denseBias }
            : {}),
          ...(task === 'question-answering'
            ? { labels: ['start', 'end'], headWeight: ramp(hidden, 2), headBias: ramp(2) }
            : {}),
        });
        const target = backbone(family);
        const { files } = exportPeft(prompt, { backbone: target });
        expect(importPeft(files, { backbone: target }).prompt).toEqual({
          ...prompt,
          training: expect.anything(),
        });
        // Without what PEFT does not know, the adapter alone is the same or is refused, and never another.
        const { 'polyprompt.json': _, ...alone } = files;
        const options = { backbone: target, labels: prompt.labels };
        let again: Prompt | undefined;
        try {
          again = importPeft(alone, options).prompt;
        } catch (error) {
          expect(error).toBeInstanceOf(PromptError);
        }
        if (again) expect(again).toEqual({ ...prompt, training: expect.anything() });
      }),
      { numRuns: 200 },
    );
  });

  it('has the files, keys and bytes that PEFT writes', () => {
    const { files, headBeside } = exportPeft(
      make('roberta', { task: 'token-classification', pooling: 'first' }),
      { backbone: backbone(), baseModel: 'FacebookAI/xlm-roberta-bäse' },
    );
    expect(headBeside).toBeUndefined();
    expect(Object.keys(files).sort()).toEqual([
      'README.md',
      'adapter_config.json',
      'adapter_model.safetensors',
      'polyprompt.json',
    ]);
    expect(Buffer.from(files['adapter_config.json']!).toString()).toBe(`{
  "auto_mapping": null,
  "base_model_name_or_path": "FacebookAI/xlm-roberta-b\\u00e4se",
  "encoder_hidden_size": 6,
  "inference_mode": true,
  "modules_to_save": [
    "classifier",
    "score"
  ],
  "num_attention_heads": 3,
  "num_layers": 2,
  "num_transformer_submodules": 1,
  "num_virtual_tokens": 4,
  "peft_type": "PREFIX_TUNING",
  "prefix_projection": false,
  "revision": null,
  "task_type": "TOKEN_CLS",
  "token_dim": 6
}`);
    const { tensors, metadata } = decodeSafetensors(files['adapter_model.safetensors']!);
    expect(metadata).toEqual({ format: 'pt' });
    expect(Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]))).toEqual({
      prompt_embeddings: [4, 24],
      'base_model.classifier.weight': [3, 6],
      'base_model.classifier.bias': [3],
    });
    expect(JSON.parse(Buffer.from(files['polyprompt.json']!).toString()).id2label).toEqual({
      0: 'bad',
      1: 'good',
      2: 'none',
    });
  });

  it.each<[string, PeftBackbone['family'], Partial<Prompt>, string, RegExp | undefined]>([
    ['RoBERTa, its pooler', 'roberta', { pooling: 'pooler' }, 'SEQ_CLS', undefined],
    ['RoBERTa, a dense layer', 'roberta', dense, 'SEQ_CLS', undefined],
    [
      'RoBERTa, a linear head',
      'roberta',
      { pooling: 'first' },
      'FEATURE_EXTRACTION',
      /no weights turn into the identity/,
    ],
    ['RoBERTa, a mean', 'roberta', {}, 'FEATURE_EXTRACTION', /pools by "mean"/],
    ['BERT, its pooler', 'bert', { pooling: 'pooler' }, 'SEQ_CLS', undefined],
    [
      'BERT, a raw state',
      'bert',
      { pooling: 'first' },
      'FEATURE_EXTRACTION',
      /has its pooler before/,
    ],
    [
      'BERT, a soft prompt',
      'bert',
      { method: 'soft', pooling: 'pooler' },
      'FEATURE_EXTRACTION',
      /first virtual token/,
    ],
    ['XGLM', 'xglm', { pooling: 'last' }, 'FEATURE_EXTRACTION', /no model class/],
  ])(
    'holds a classification head of %s where it computes the same',
    (_, family, more, task, why) => {
      const { files, headBeside } = exportPeft(make(family, more), { backbone: backbone(family) });
      expect(JSON.parse(Buffer.from(files['adapter_config.json']!).toString()).task_type).toBe(
        task,
      );
      const readme = Buffer.from(files['README.md']!).toString();
      if (why === undefined)
        expect([headBeside, 'polyprompt_head.safetensors' in files]).toEqual([undefined, false]);
      else {
        expect(headBeside).toMatch(why);
        expect(readme).toContain(headBeside);
        expect('polyprompt_head.safetensors' in files).toBe(true);
      }
      expect(readme).toContain('base_model: "xlm-roberta-base"');
    },
  );

  it('is refused where PEFT would compute something else', () => {
    const run = (more: Partial<Prompt>, target = backbone()) =>
      failure(() => exportPeft(make('roberta', more), { backbone: target }));
    expect(run({ positions: 'unshifted' })).toMatchObject({
      code: 'not_exportable',
      message: expect.stringContaining('count the virtual tokens'),
    });
    const { prefix: _, ...head } = make('roberta', { method: 'head' });
    expect(failure(() => exportPeft(head, { backbone: backbone() })).code).toBe('not_exportable');
    expect(run({}, backbone('bert')).code).toBe('wrong_backbone');
  });

  it('is refused on another backbone than its own', () => {
    const { files } = exportPeft(make('roberta', { pooling: 'pooler' }), { backbone: backbone() });
    const other = backbone('roberta', { fingerprint: contentHash('another'), name: 'twin' });
    expect(failure(() => importPeft(files, { backbone: other })).code).toBe('wrong_backbone');
  });
});
