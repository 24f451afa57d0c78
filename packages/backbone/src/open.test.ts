import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { elementCount, readFloat32, readHeader, type TensorData } from '@polyprompt/safetensors';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WeightDtype } from './checkpoint.ts';
import { type Family, parseConfig } from './config.ts';
import { BackboneError } from './errors.ts';
import { type CanonicalName, expectedTensors, poolerTensors } from './names.ts';
import { openBackbone } from './open.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { type TinyBackboneOptions, writeTinyBackbone } from './testing/tiny-backbone.ts';

const FAMILIES: Family[] = ['roberta', 'bert', 'xglm'];
const FIXTURES = fileURLToPath(new URL('../../../../shared/fixtures/backbones/', import.meta.url));

function tiny(options: TinyBackboneOptions): string {
  const dir = temporaryFolder();
  writeTinyBackbone(dir, options);
  return dir;
}

const failure = (dir: string) => expect(() => openBackbone(dir));
const withCode = (code: string, message: RegExp | string) =>
  expect.objectContaining({
    name: 'BackboneError',
    code,
    message:
      typeof message === 'string'
        ? expect.stringContaining(message)
        : expect.stringMatching(message),
  });
const firstValues = (dir: string, name: CanonicalName, count: number) => {
  const ref = openBackbone(dir).checkpoint.tensors.get(name)!;
  return readFloat32(ref.file, ref).slice(0, count);
};
const zeros = (dtype: WeightDtype, shape: number[]): TensorData =>
  dtype === 'F32'
    ? { dtype, shape, data: new Float32Array(elementCount(shape)) }
    : { dtype, shape, data: new Uint16Array(elementCount(shape)) };

/** Tensors of zeros that take no disk space: a header, then a hole. */
function writeSparse(
  path: string,
  tensors: readonly (readonly [string, readonly number[]])[],
): void {
  let end = 0;
  const entries = tensors.map(([key, shape]) => {
    const begin = end;
    end += 4 * elementCount(shape);
    return [key, { dtype: 'F32', shape, data_offsets: [begin, end] }];
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.byteLength));
  const fd = openSync(path, 'w');
  writeSync(fd, Buffer.concat([length, json]));
  ftruncateSync(fd, 8 + json.byteLength + end);
  closeSync(fd);
}

describe.each(FAMILIES)('openBackbone on %s', (family) => {
  it('references every tensor of the spec where it lies', () => {
    const dir = tiny({ family, layers: 3, pooler: true });
    const { spec, checkpoint, parameters, ...backbone } = openBackbone(dir);
    const expected = [...expectedTensors(spec), ...poolerTensors(spec)];
    expect([...checkpoint.tensors.keys()]).toEqual(expected.map(({ name }) => name));
    const bytes = readFileSync(join(dir, 'model.safetensors'));
    for (const { name, shape } of expected) {
      const ref = checkpoint.tensors.get(name)!;
      expect(ref.shape).toEqual(shape);
      const values = readFloat32(ref.file, ref);
      const view = new DataView(bytes.buffer, bytes.byteOffset + ref.offset, ref.byteLength);
      expect(values[0]).toBe(view.getFloat32(0, true));
      expect(values.at(-1)).toBe(view.getFloat32(ref.byteLength - 4, true));
    }
    expect(parameters).toBe(expected.reduce((sum, { shape }) => sum + elementCount(shape), 0));
    expect(checkpoint.hasPooler).toBe(family !== 'xglm');
    expect(backbone.name).toBe(dir.split('/').at(-1));
  });

  it.each(['', 'model.'])('finds the tensors under the prefix "%s"', (prefix) => {
    const dir = tiny({ family, prefix });
    expect(openBackbone(dir).checkpoint.tensors.get('layers.1.mlp.up.weight')!.name).toMatch(
      new RegExp(`^${prefix}(encoder|layers)`),
    );
  });

  it('reads both spellings of LayerNorm alike', () => {
    const name = 'layers.0.mlp.norm.weight';
    const [modern, old] = [tiny({ family }), tiny({ family, gammaBeta: true })];
    expect(openBackbone(old).checkpoint.tensors.get(name)!.name).toMatch(/\.gamma$/);
    expect(firstValues(old, name, 16)).toEqual(firstValues(modern, name, 16));
  });

  it('reads float16 and bfloat16 weights', () => {
    const name = 'embeddings.word';
    const exact = firstValues(tiny({ family }), name, 64);
    for (const [dtype, tolerance] of [
      ['F16', 2 ** -11],
      ['BF16', 2 ** -8],
    ] as const) {
      const dir = tiny({ family, dtype });
      expect(openBackbone(dir).checkpoint.tensors.get(name)!.dtype).toBe(dtype);
      firstValues(dir, name, 64).forEach((value, i) => {
        expect(Math.abs(value - exact[i]!)).toBeLessThanOrEqual(Math.abs(exact[i]!) * tolerance);
      });
    }
  });

  it('reads shards as it reads one file', () => {
    const dir = tiny({ family, shards: 3 });
    const { checkpoint } = openBackbone(dir);
    expect(checkpoint.files.map(({ name }) => name)).toEqual([
      'model-00001-of-00003.safetensors',
      'model-00002-of-00003.safetensors',
      'model-00003-of-00003.safetensors',
    ]);
    const whole = tiny({ family });
    for (const name of checkpoint.tensors.keys()) {
      expect(firstValues(dir, name, 8)).toEqual(firstValues(whole, name, 8));
    }
  });

  it('names the tensor that is missing', () => {
    const remove = (tensors: Map<string, TensorData>) => {
      for (const key of tensors.keys())
        if (/layers?\.1\..*(fc1|intermediate).*bias/.test(key)) tensors.delete(key);
    };
    failure(tiny({ family, edit: remove })).toThrow(
      withCode(
        'tensor_missing',
        /lack ".*\.1\..*(fc1|intermediate.dense)\.bias" \[32\] \(layers\.1\.mlp\.up\.bias\)/,
      ),
    );
  });

  it('names the tensor whose shape is not what the config asks for', () => {
    const dir = tiny({ family, config: { ffn_dim: 40, intermediate_size: 40 } });
    failure(dir).toThrow(
      withCode(
        'tensor_shape',
        /\(layers\.0\.mlp\.up\.weight\) has shape \[32,16\], config.json asks for \[40,16\]/,
      ),
    );
  });

  it('accepts unused tensors, whatever their type', () => {
    const edit = (tensors: Map<string, TensorData>) => {
      tensors.set('cls.predictions.bias', zeros('F32', [3]));
      tensors.set('position_ids', { dtype: 'I64', shape: [1, 2], data: new BigInt64Array(2) });
    };
    expect(openBackbone(tiny({ family, edit })).checkpoint.originals.has('position_ids')).toBe(
      true,
    );
  });
});

describe('heads', () => {
  it('has a pooler or not, but not half of one', () => {
    expect(openBackbone(tiny({ family: 'bert' })).checkpoint.hasPooler).toBe(false);
    const edit = (tensors: Map<string, TensorData>) => tensors.delete('bert.pooler.dense.bias');
    failure(tiny({ family: 'bert', pooler: true, edit })).toThrow(
      withCode('tensor_missing', 'bert.pooler.dense.bias'),
    );
  });

  it('finds word embeddings that were saved as the output layer they are tied to', () => {
    const rename = (tensors: Map<string, TensorData>) => {
      tensors.set('lm_head.weight', tensors.get('model.embed_tokens.weight')!);
      tensors.delete('model.embed_tokens.weight');
    };
    const dir = tiny({ family: 'xglm', edit: rename });
    expect(firstValues(dir, 'embeddings.word', 16)).toEqual(
      firstValues(tiny({ family: 'xglm' }), 'embeddings.word', 16),
    );
  });

  it('says whether words can be predicted', () => {
    const edit = (tensors: Map<string, TensorData>) =>
      tensors.set('lm_head.dense.weight', zeros('F16', [16, 16]));
    expect(openBackbone(tiny({ family: 'roberta' })).checkpoint.hasLmHead).toBe(false);
    expect(openBackbone(tiny({ family: 'roberta', edit })).checkpoint.hasLmHead).toBe(true);
    expect(openBackbone(tiny({ family: 'xglm' })).checkpoint.hasLmHead).toBe(true);
  });
});

describe('folders that cannot be opened', () => {
  it('is not a model folder', () => {
    const dir = temporaryFolder();
    failure(join(dir, 'nowhere')).toThrow(withCode('not_a_model_folder', 'it does not exist'));
    failure(dir).toThrow(withCode('not_a_model_folder', 'it has no config.json'));
    writeFileSync(join(dir, 'file'), '');
    failure(join(dir, 'file')).toThrow(withCode('not_a_model_folder', 'it is a file'));
  });

  it('has no weights, or only pickled ones', () => {
    const dir = tiny({ family: 'bert' });
    rmSync(join(dir, 'model.safetensors'));
    failure(dir).toThrow(withCode('weights_missing', 'no model.safetensors'));
    writeFileSync(join(dir, 'pytorch_model.bin'), 'PK');
    failure(dir).toThrow(
      withCode('pickle_weights', /pytorch_model\.bin, a pickle.*python3 -c ".*save_file/),
    );
    rmSync(join(dir, 'pytorch_model.bin'));
    writeFileSync(join(dir, 'pytorch_model.bin.index.json'), '{}');
    failure(dir).toThrow(withCode('pickle_weights', 'save_pretrained'));
  });

  it('has a truncated weight file', () => {
    const path = (dir: string) => join(dir, 'model.safetensors');
    const dir = tiny({ family: 'roberta' });
    truncateSync(path(dir), readFileSync(path(dir)).byteLength - 1);
    failure(dir).toThrow(withCode('truncated_file', /truncated: \d+ bytes expected, \d+ found/));
    truncateSync(path(dir), 100);
    failure(dir).toThrow(withCode('truncated_file', '100 found'));
  });

  it('has weights that are something else', () => {
    const dir = tiny({ family: 'roberta' });
    const path = join(dir, 'model.safetensors');
    writeFileSync(path, '<!DOCTYPE html><html>not found</html>');
    failure(dir).toThrow(withCode('bad_weights', 'not a safetensors file'));
    writeFileSync(path, '');
    failure(dir).toThrow(withCode('bad_weights', '0 bytes'));
    writeFileSync(path, 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n');
    failure(dir).toThrow(withCode('bad_weights', 'git lfs pull'));
  });

  it('lacks a shard, or a shard lacks what the index says', () => {
    const dir = tiny({ family: 'xglm', shards: 2 });
    const second = join(dir, 'model-00002-of-00002.safetensors');
    const bytes = readFileSync(second);
    rmSync(second);
    failure(dir).toThrow(withCode('shard_missing', 'model-00002-of-00002.safetensors'));
    writeFileSync(second, readFileSync(join(dir, 'model-00001-of-00002.safetensors')));
    failure(dir).toThrow(
      withCode('tensor_missing', 'is in model-00002-of-00002.safetensors, but it is not'),
    );
    writeFileSync(second, bytes.subarray(0, -8));
    failure(dir).toThrow(withCode('truncated_file', 'model-00002-of-00002.safetensors'));
  });

  it('has an index that is damaged or leads out of the folder', () => {
    const dir = tiny({ family: 'xglm', shards: 2 });
    const index = join(dir, 'model.safetensors.index.json');
    for (const text of [
      '{',
      '{}',
      '{"weight_map":{"a":"../secret.safetensors"}}',
      '{"weight_map":[]}',
    ]) {
      writeFileSync(index, text);
      failure(dir).toThrow(withCode('bad_weights', 'not an index of shards'));
    }
  });

  it('has weights in a type that is not run', () => {
    const edit = (tensors: Map<string, TensorData>) =>
      tensors.set('bert.embeddings.LayerNorm.bias', {
        dtype: 'F64',
        shape: [16],
        data: new Float64Array(16),
      });
    failure(tiny({ family: 'bert', edit })).toThrow(
      withCode(
        'unsupported_dtype',
        /bert\.embeddings\.LayerNorm\.bias.* is F64; weights must be F32, F16 or BF16/,
      ),
    );
  });

  it('has no tokenizer, a damaged one, or one of another model', () => {
    const dir = tiny({ family: 'bert' });
    const path = join(dir, 'tokenizer.json');
    const text = readFileSync(path, 'utf8');
    const tokenizer = () => openBackbone(dir).tokenizer();
    rmSync(path);
    expect(tokenizer).toThrow(withCode('missing_tokenizer', 'AutoTokenizer'));
    writeFileSync(path, text.slice(0, 500));
    expect(tokenizer).toThrow(withCode('bad_tokenizer', 'cannot be used'));
    writeTinyBackbone(dir, { family: 'bert', vocab: 200 });
    const larger = readFileSync(path, 'utf8');
    writeTinyBackbone(dir, { family: 'bert' });
    writeFileSync(path, larger);
    expect(tokenizer).toThrow(
      withCode('bad_tokenizer', /200 tokens, more than the \d+ of config\.json/),
    );
  });
});

describe('damaged files', () => {
  it.each([
    ['config.json', 600],
    ['tokenizer.json', 6000],
    ['model.safetensors', 4000],
  ])('never end in anything but a BackboneError (%s)', (name, size) => {
    const dir = tiny({ family: 'bert' });
    const original = readFileSync(join(dir, name));
    const damage = fc.record({
      at: fc.nat(Math.min(size, original.length) - 1),
      remove: fc.nat(40),
      insert: fc.uint8Array({ maxLength: 3 }),
    });
    fc.assert(
      fc.property(damage, ({ at, remove, insert }) => {
        const rest = original.subarray(at + remove);
        writeFileSync(join(dir, name), Buffer.concat([original.subarray(0, at), insert, rest]));
        try {
          openBackbone(dir).tokenizer();
        } catch (error) {
          expect(error).toBeInstanceOf(BackboneError);
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('opening', () => {
  it('takes the name of a cached download from its repository', () => {
    const dir = join(
      temporaryFolder(),
      'models--FacebookAI--xlm-roberta-base',
      'snapshots',
      'e73636d4',
    );
    mkdirSync(dir, { recursive: true });
    writeTinyBackbone(dir, { family: 'roberta' });
    expect(openBackbone(dir).name).toBe('xlm-roberta-base');
  });

  it('loads the tokenizer once', () => {
    const backbone = openBackbone(tiny({ family: 'roberta' }));
    expect(backbone.tokenizer()).toBe(backbone.tokenizer());
  });

  it('holds nothing of a 1 GB checkpoint in memory', () => {
    const dir = tiny({ family: 'roberta', vocab: 200 });
    const vocab = 16_000_000 / 2;
    const config = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8'));
    writeFileSync(
      join(dir, 'config.json'),
      JSON.stringify({ ...config, vocab_size: vocab, hidden_size: 32 }),
    );
    const spec = parseConfig('config.json', readFileSync(join(dir, 'config.json'), 'utf8'));
    writeSparse(
      join(dir, 'model.safetensors'),
      expectedTensors(spec).map(({ keys, shape }) => [`roberta.${keys[0]}`, shape]),
    );
    expect(readHeader(join(dir, 'model.safetensors')).fileSize).toBeGreaterThan(1e9);
    const before = process.memoryUsage().rss;
    const backbone = openBackbone(dir);
    expect(backbone.parameters).toBeGreaterThan(2.5e8);
    expect(process.memoryUsage().rss - before).toBeLessThan(50e6);
  });
});

describe.skipIf(!existsSync(FIXTURES))('reference models (../shared/fixtures/backbones)', () => {
  it.each([
    ['xlm-roberta', true],
    ['bert', true],
    ['xglm', false],
  ])('opens %s', (folder, hasPooler) => {
    const { checkpoint, spec } = openBackbone(join(FIXTURES, folder));
    expect(checkpoint).toMatchObject({ hasPooler, hasLmHead: true });
    expect(spec).toMatchObject({ modelType: folder, hidden: 48, layers: 3, heads: 4, headDim: 12 });
  });
});
