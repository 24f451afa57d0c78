import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  elementCount,
  readFloat32,
  readHeader,
  readTensor,
  type TensorData,
} from '@polyprompt/safetensors';
import { describe, expect, it } from 'vitest';
import type { Family } from './config.ts';
import { writeBackbone } from './convert.ts';
import type { CanonicalName } from './names.ts';
import { openBackbone } from './open.ts';
import { temporaryFolder } from './testing/temporary-folder.ts';
import { type TinyBackboneOptions, writeTinyBackbone } from './testing/tiny-backbone.ts';

function tiny(options: TinyBackboneOptions) {
  const dir = join(temporaryFolder(), 'source');
  writeTinyBackbone(dir, options);
  return openBackbone(dir);
}

describe('writeBackbone', () => {
  it.each<[Family, TinyBackboneOptions]>([
    ['roberta', { family: 'roberta', dtype: 'F16', shards: 2, pooler: true }],
    ['bert', { family: 'bert', gammaBeta: true, prefix: '' }],
    ['xglm', { family: 'xglm', dtype: 'BF16' }],
  ])('writes a %s folder under its original keys', async (_, options) => {
    const { dir, checkpoint } = tiny(options);
    const target = join(dir, '..', 'tuned');
    const changed: CanonicalName[] = ['embeddings.word', 'layers.1.mlp.norm.weight'];
    const replaced = new Map(
      changed.map((name) => {
        const count = elementCount(checkpoint.tensors.get(name)!.shape);
        return [name, Float32Array.from({ length: count }, (_, i) => i / 7)];
      }),
    );
    writeBackbone(target, checkpoint, replaced);
    const tuned = openBackbone(target);
    expect([...tuned.checkpoint.originals.keys()].sort()).toEqual(
      [...checkpoint.originals.keys()].sort(),
    );
    for (const [name, ref] of tuned.checkpoint.tensors) {
      const source = checkpoint.tensors.get(name)!;
      expect([ref.dtype, ref.name]).toEqual(['F32', source.name]);
      expect(readFloat32(ref.file, ref)).toEqual(
        replaced.get(name) ?? readFloat32(source.file, source),
      );
    }
    expect((await tuned.tokenizer().encode('abc')).ids.length).toBeGreaterThan(3);
    expect(readdirSync(join(dir, '..')).sort()).toEqual(['source', 'tuned']);
  });

  it('keeps unused tensors, integers as they are, and says float32 in the config', () => {
    const edit = (tensors: Map<string, TensorData>) =>
      tensors.set('roberta.embeddings.position_ids', {
        dtype: 'I64',
        shape: [1, 3],
        data: BigInt64Array.of(0n, 1n, 2n),
      });
    const { dir, checkpoint } = tiny({
      family: 'roberta',
      edit,
      config: { torch_dtype: 'float16', extra: 'kept' },
    });
    const target = join(dir, '..', 'tuned');
    mkdirSync(target);
    writeBackbone(target, checkpoint, new Map());
    const path = join(target, 'model.safetensors');
    const entry = readHeader(path).tensors.get('roberta.embeddings.position_ids')!;
    expect(readTensor(path, entry)).toEqual(BigInt64Array.of(0n, 1n, 2n));
    expect(JSON.parse(readFileSync(join(target, 'config.json'), 'utf8'))).toMatchObject({
      torch_dtype: 'float32',
      extra: 'kept',
    });
  });

  it('drops a second copy of word embeddings that have changed', () => {
    const edit = (tensors: Map<string, TensorData>) =>
      tensors.set('lm_head.weight', tensors.get('model.embed_tokens.weight')!);
    const { dir, checkpoint } = tiny({ family: 'xglm', edit });
    const words = new Float32Array(elementCount(checkpoint.tensors.get('embeddings.word')!.shape));
    const written = (folder: string, replaced: Map<CanonicalName, Float32Array>) => {
      writeBackbone(join(dir, '..', folder), checkpoint, replaced);
      return readHeader(join(dir, '..', folder, 'model.safetensors')).tensors.has('lm_head.weight');
    };
    expect(written('same', new Map())).toBe(true);
    expect(written('changed', new Map([['embeddings.word', words]]))).toBe(false);
  });

  it('refuses a folder in use and replacements that do not fit, and leaves nothing behind', () => {
    const { dir, checkpoint } = tiny({ family: 'bert' });
    const parent = join(dir, '..');
    const write = (folder: string, name: CanonicalName, count: number) => () =>
      writeBackbone(join(parent, folder), checkpoint, new Map([[name, new Float32Array(count)]]));
    expect(write('source', 'embeddings.word', 1)).toThrow(
      expect.objectContaining({ code: 'folder_exists' }),
    );
    expect(write('new', 'layers.9.mlp.up.bias', 1)).toThrow(
      expect.objectContaining({ code: 'tensor_missing' }),
    );
    expect(write('new', 'layers.0.mlp.up.bias', 1)).toThrow('has 1 values, [32] needs 32');
    writeFileSync(
      join(dir, 'model.safetensors'),
      readFileSync(join(dir, 'model.safetensors')).subarray(0, -64),
    );
    expect(write('new', 'layers.0.mlp.up.bias', 32)).toThrow('truncated');
    expect(readdirSync(parent)).toEqual(['source']);
  });
});
