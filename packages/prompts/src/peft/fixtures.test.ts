/** Adapters laid out by hand, run through the product's graphs, against the original implementations. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { maxPromptLength, openBackbone, Predictor } from '@polyprompt/backbone';
import {
  encodeSafetensors,
  readHeader,
  readTensor,
  type TensorData,
} from '@polyprompt/safetensors';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type PeftBackbone, peftBackbone } from './backbone.ts';
import { importPeft } from './import.ts';

const ROOT = join(import.meta.dirname, '../../../../../shared/fixtures/backbones');
const why = existsSync(ROOT) ? '' : ' (skipped: no ../shared/fixtures/backbones)';

interface Case {
  readonly name: string;
  readonly inputs: Record<string, string>;
  readonly outputs: Record<string, { readonly tensor: string; readonly atol: number }>;
}

async function fixture(family: string) {
  const folder = join(ROOT, family);
  const backbone = openBackbone(folder);
  const peft = await peftBackbone(backbone, maxPromptLength(backbone.spec));
  const { cases } = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as {
    cases: Case[];
  };
  const file = join(folder, 'cases.safetensors');
  const header = readHeader(file);
  const tensor = (name: string) => {
    const entry = header.tensors.get(name)!;
    return { shape: entry.shape, data: readTensor(file, entry) as Float32Array | BigInt64Array };
  };
  const floats = (name: string): TensorData => {
    const { shape, data } = tensor(name);
    return { dtype: 'F32', shape, data: data as Float32Array };
  };
  const predictor = new Predictor(backbone, { device: 'cpu', threads: 1 });
  onTestFinished(() => predictor.release());
  /** Logits of every row of a case, computed by an imported adapter. */
  const predict = async (
    name: string,
    files: Readonly<Record<string, Uint8Array>>,
    labels: readonly string[] | undefined,
  ) => {
    const test = cases.find((each) => each.name === name)!;
    const { prompt } = importPeft(files, { backbone: peft, labels });
    const ids = tensor(test.inputs.input_ids!);
    const mask = tensor(test.inputs.attention_mask!).data;
    const types = test.inputs.token_type_ids && tensor(test.inputs.token_type_ids).data;
    const [rows, width] = ids.shape as [number, number];
    const real = (data: ArrayLike<number | bigint>, b: number) =>
      Array.from({ length: width }, (_, i) => b * width + i)
        .filter((at) => Number(mask[at]) === 1)
        .map((at) => Number(data[at]));
    const logits = await predictor.predict(
      Array.from({ length: rows }, (_, b) => ({
        ids: real(ids.data, b),
        ...(types && { typeIds: real(types, b) }),
        prompt,
      })),
    );
    return { test, logits, prompt, mask, width };
  };
  return { backbone, peft, floats, predict };
}

/** adapter_config.json as PEFT writes it, by hand. */
function config(peft: PeftBackbone, task: string, type: string, length: number): Uint8Array {
  return Buffer.from(
    JSON.stringify({
      auto_mapping: null,
      base_model_name_or_path: 'somewhere/else',
      encoder_hidden_size: 64,
      inference_mode: true,
      modules_to_save: ['classifier', 'score'],
      num_attention_heads: peft.heads,
      num_layers: peft.layers,
      num_transformer_submodules: 1,
      num_virtual_tokens: length,
      peft_type: type,
      peft_version: '0.18.0',
      prefix_projection: true,
      revision: null,
      task_type: task,
      token_dim: peft.hidden,
    }),
  );
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, atol: number): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i++) {
    if (!(Math.abs(actual[i]! - expected[i]!) <= atol))
      expect([i, actual[i]]).toEqual([i, expected[i]]);
  }
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `label ${i}`);

describe.skipIf(why !== '')(`an adapter laid out by hand gives the reference outputs${why}`, () => {
  it.each(['xlm-roberta', 'bert', 'xglm'])('SEQ_CLS on %s', async (family) => {
    const { peft, backbone, floats, predict } = await fixture(family);
    const table = floats('prefix.flat');
    const [weight, bias] = [floats('head_cls.w'), floats('head_cls.b')];
    const pooler = peft.pooler();
    const head: Record<string, TensorData> =
      family === 'xglm'
        ? { 'base_model.score.weight': weight, 'base_model.score.bias': bias }
        : family === 'bert'
          ? { 'base_model.classifier.weight': weight, 'base_model.classifier.bias': bias }
          : {
              'base_model.classifier.dense.weight': { dtype: 'F32', ...pooler!.weight },
              'base_model.classifier.dense.bias': { dtype: 'F32', ...pooler!.bias },
              'base_model.classifier.out_proj.weight': weight,
              'base_model.classifier.out_proj.bias': bias,
            };
    const files = {
      'adapter_config.json': config(peft, 'SEQ_CLS', 'PREFIX_TUNING', table.shape[0]!),
      'adapter_model.safetensors': encodeSafetensors(
        [['prompt_embeddings', table], ...Object.entries(head)],
        { format: 'pt' },
      ),
    };
    const { test, logits } = await predict('cls', files, names(bias.shape[0]!));
    const { tensor, atol } = test.outputs.logits!;
    expectClose(
      logits.flatMap(({ pooled }) => [...pooled]),
      floats(tensor).data as Float32Array,
      atol,
    );
    expect(backbone.spec.layers).toBe(peft.layers);
  });

  it('SEQ_CLS on xlm-roberta, with a dense layer of its own', async () => {
    const { peft, floats, predict } = await fixture('xlm-roberta');
    const table = floats('prefix.flat');
    const { hidden } = peft;
    const pooler = peft.pooler()!;
    // Permuting the inner dimension changes both layers and no logit.
    const order = Array.from({ length: hidden }, (_, i) => (i + 1) % hidden);
    const rows = (data: Float32Array) =>
      Float32Array.from(order.flatMap((o) => [...data.subarray(o * hidden, (o + 1) * hidden)]));
    const head = floats('head_cls.w');
    const columns = Float32Array.from(
      { length: head.data.length },
      (_, i) => (head.data as Float32Array)[Math.floor(i / hidden) * hidden + order[i % hidden]!]!,
    );
    const files = {
      'adapter_config.json': config(peft, 'SEQ_CLS', 'PREFIX_TUNING', table.shape[0]!),
      'adapter_model.safetensors': encodeSafetensors([
        ['prompt_embeddings', table],
        [
          'base_model.classifier.dense.weight',
          { dtype: 'F32', shape: [hidden, hidden], data: rows(pooler.weight.data) },
        ],
        [
          'base_model.classifier.dense.bias',
          {
            dtype: 'F32',
            shape: [hidden],
            data: Float32Array.from(order, (o) => pooler.bias.data[o]!),
          },
        ],
        ['base_model.classifier.out_proj.weight', { ...head, data: columns }],
        ['base_model.classifier.out_proj.bias', floats('head_cls.b')],
      ]),
    };
    const { test, logits, prompt } = await predict('cls', files, names(head.shape[0]!));
    expect(prompt.denseWeight?.shape).toEqual([hidden, hidden]);
    expect(prompt.pooling).toBe('first');
    const { tensor, atol } = test.outputs.logits!;
    expectClose(
      logits.flatMap(({ pooled }) => [...pooled]),
      floats(tensor).data as Float32Array,
      atol,
    );
  });

  it.each([
    ['xlm-roberta', 'tag'],
    ['bert', 'tag'],
    ['xglm', 'tag'],
    ['xlm-roberta', 'qa_full'],
    ['bert', 'qa_full'],
  ])('a head over tokens on %s (%s)', async (family, name) => {
    const { peft, floats, predict } = await fixture(family);
    const table = floats('prefix.flat');
    const [module, own, task] =
      name === 'tag'
        ? ['classifier', 'head_tag', 'TOKEN_CLS']
        : ['qa_outputs', 'head_qa', 'QUESTION_ANS'];
    const bias = floats(`${own}.b`);
    const files = {
      'adapter_config.json': config(peft, task!, 'PREFIX_TUNING', table.shape[0]!),
      'adapter_model.safetensors': encodeSafetensors([
        ['prompt_embeddings', table],
        [`base_model.${module}.weight`, floats(`${own}.w`)],
        [`base_model.${module}.bias`, bias],
      ]),
    };
    const { test, logits, mask, width } = await predict(
      name,
      files,
      name === 'tag' ? names(bias.shape[0]!) : undefined,
    );
    const { tensor, atol } = test.outputs.logits!;
    const expected = floats(tensor).data as Float32Array;
    const classes = bias.shape[0]!;
    logits.forEach(({ tokens }, b) => {
      const wanted = Array.from({ length: width }, (_, i) => b * width + i)
        .filter((at) => Number(mask[at]) === 1)
        .flatMap((at) => [...expected.subarray(at * classes, (at + 1) * classes)]);
      expectClose(tokens, wanted, atol);
    });
  });

  it.each(['xlm-roberta', 'bert', 'xglm'])(
    'PROMPT_TUNING on %s: states of the tokens, and of the first virtual one',
    async (family) => {
      const { peft, floats, predict } = await fixture(family);
      const { hidden } = peft;
      const prompt = floats('prompt');
      const identity = Float32Array.from({ length: hidden * hidden }, (_, i) =>
        Number(i % (hidden + 1) === 0),
      );
      const states = {
        weight: { dtype: 'F32', shape: [hidden, hidden], data: identity },
        bias: { dtype: 'F32', shape: [hidden], data: new Float32Array(hidden) },
      } as const;
      const adapter = (task: string, head: Record<string, TensorData>) => ({
        'adapter_config.json': config(peft, task, 'PROMPT_TUNING', prompt.shape[0]!),
        'adapter_model.safetensors': encodeSafetensors([
          ['prompt_embeddings', prompt],
          ...Object.entries(head),
        ]),
      });
      const tagger = adapter('TOKEN_CLS', {
        'base_model.classifier.weight': states.weight,
        'base_model.classifier.bias': states.bias,
      });
      const { test, logits, mask, width } = await predict('soft_prompt', tagger, names(hidden));
      const { tensor, atol } = test.outputs.last_hidden_state!;
      const expected = floats(tensor).data as Float32Array;
      const length = prompt.shape[0]!;
      const state = (b: number, t: number) =>
        expected.subarray((b * (length + width) + t) * hidden).subarray(0, hidden);
      logits.forEach(({ tokens }, b) => {
        const wanted = Array.from({ length: width }, (_, i) => i)
          .filter((i) => Number(mask[b * width + i]) === 1)
          .flatMap((i) => [...state(b, length + i)]);
        expectClose(tokens, wanted, atol);
      });
      if (family === 'xglm') return;
      // The trap: a classifier reads index 0, which is the first virtual token.
      const weight = peft.pooler()!.weight.data;
      const { bias } = peft.pooler()!;
      const classifier: Record<string, TensorData> =
        family === 'bert'
          ? {
              'base_model.classifier.weight': states.weight,
              'base_model.classifier.bias': states.bias,
            }
          : {
              'base_model.classifier.dense.weight': {
                dtype: 'F32',
                shape: [hidden, hidden],
                data: weight,
              },
              'base_model.classifier.dense.bias': {
                dtype: 'F32',
                shape: [hidden],
                data: bias.data,
              },
              'base_model.classifier.out_proj.weight': states.weight,
              'base_model.classifier.out_proj.bias': states.bias,
            };
      const classified = await predict(
        'soft_prompt',
        adapter('SEQ_CLS', classifier),
        names(hidden),
      );
      expect(classified.prompt.pooling).toBe('virtual-pooler');
      classified.logits.forEach(({ pooled }, b) => {
        const x = state(b, 0);
        const wanted = Array.from({ length: hidden }, (_, o) => {
          const sum = x.reduce(
            (total, value, i) => total + value * weight[o * hidden + i]!,
            bias.data[o]!,
          );
          return Math.tanh(sum);
        });
        expectClose(pooled, wanted, atol);
      });
    },
  );
});
