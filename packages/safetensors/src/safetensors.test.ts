import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { SafetensorsDtype } from './dtype.ts';
import { viewAs } from './dtype.ts';
import {
  decodeSafetensors,
  elementCount,
  encodeSafetensors,
  itemSize,
  readFloat32,
  readHeader,
  readTensor,
  requireEntry,
  SafetensorsError,
  type TensorData,
  toFloat32,
  writeFileDurably,
  writeSafetensors,
} from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'safetensors-'));
afterAll(() => rmSync(folder, { recursive: true }));

const DTYPES: readonly SafetensorsDtype[] = [
  'F64',
  'F32',
  'F16',
  'BF16',
  'I64',
  'I32',
  'I16',
  'I8',
  'U64',
  'U32',
  'U16',
  'U8',
  'BOOL',
  'F8_E4M3',
  'F8_E5M2',
];

const tensorArbitrary: fc.Arbitrary<TensorData> = fc
  .tuple(fc.constantFrom(...DTYPES), fc.array(fc.nat({ max: 4 }), { maxLength: 3 }))
  .chain(([dtype, shape]) => {
    const length = elementCount(shape) * itemSize(dtype);
    return fc
      .uint8Array({ minLength: length, maxLength: length })
      .map((bytes) => ({ dtype, shape, data: viewAs(dtype, bytes) }));
  });

const tensorsArbitrary = fc
  .dictionary(fc.string({ unit: 'binary' }), tensorArbitrary, { maxKeys: 5 })
  .map((tensors) => new Map(Object.entries(tensors)));
const metadataArbitrary = fc.dictionary(fc.string(), fc.string({ unit: 'binary' }), { maxKeys: 4 });

/** A file of one header and `dataLength` zero bytes, as no encoder of ours would write it. */
function handmade(header: unknown, dataLength = 0): Uint8Array {
  const json = new TextEncoder().encode(
    typeof header === 'string' ? header : JSON.stringify(header),
  );
  const bytes = new Uint8Array(8 + json.length + dataLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof SafetensorsError) return error.code;
    throw error;
  }
  return 'no error';
}

describe('encodeSafetensors and decodeSafetensors', () => {
  it('round-trip tensors bit for bit, names and metadata', () => {
    fc.assert(
      fc.property(tensorsArbitrary, metadataArbitrary, (tensors, metadata) => {
        const decoded = decodeSafetensors(encodeSafetensors(tensors, metadata));
        expect(decoded.metadata).toEqual(metadata);
        expect([...decoded.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
        for (const [name, tensor] of tensors) expect(decoded.tensors.get(name)).toEqual(tensor);
      }),
    );
  });

  it('give the same bytes in whatever order tensors and metadata come', () => {
    const x: TensorData = { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) };
    const y: TensorData = { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) };
    const one = encodeSafetensors(
      [
        ['x', x],
        ['10', y],
        ['9', y],
      ],
      { b: '1', a: '2' },
    );
    const two = encodeSafetensors(
      [
        ['9', y],
        ['x', x],
        ['10', y],
      ],
      { a: '2', b: '1' },
    );
    expect(one).toEqual(two);
    const text = new TextDecoder().decode(one);
    expect(text.indexOf('"10"')).toBeLessThan(text.indexOf('"9"'));
  });

  it('pad the header with spaces to 8 bytes', () => {
    const bytes = encodeSafetensors([['x', { dtype: 'U8', shape: [1], data: Uint8Array.of(7) }]]);
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    expect(new TextDecoder().decode(bytes.subarray(8, 8 + length))).toBe(
      '{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}   ',
    );
    expect(bytes.subarray(8 + length)).toEqual(Uint8Array.of(7));
  });

  it('decode a tensor at an unaligned offset', () => {
    const bytes = handmade(
      {
        a: { dtype: 'U8', shape: [1], data_offsets: [0, 1] },
        b: { dtype: 'F32', shape: [1], data_offsets: [1, 5] },
      },
      5,
    );
    new DataView(bytes.buffer).setFloat32(bytes.length - 4, 1.5, true);
    expect(decodeSafetensors(bytes).tensors.get('b')?.data).toEqual(Float32Array.of(1.5));
  });

  it('refuse to encode data that does not fit its dtype, shape or name', () => {
    const data = new Float32Array(3);
    const encode = (name: string, tensor: TensorData) => () => encodeSafetensors([[name, tensor]]);
    expect(encode('x', { dtype: 'F32', shape: [2], data })).toThrow(/F32 \[2\] needs 8 bytes/);
    expect(encode('x', { dtype: 'F64', shape: [3], data } as TensorData)).toThrow(/Float32Array/);
    expect(encode('x', { dtype: 'F32', shape: [-3], data })).toThrow(SafetensorsError);
    expect(encode('__metadata__', { dtype: 'F32', shape: [3], data })).toThrow(/taken/);
    const twice: TensorData = { dtype: 'F32', shape: [3], data };
    expect(() =>
      encodeSafetensors([
        ['x', twice],
        ['x', twice],
      ]),
    ).toThrow(/"x" is already taken/);
  });

  it('answer mutated bytes with a SafetensorsError or a decoded file, nothing else', () => {
    const mutation = fc.record({
      at: fc.nat(),
      value: fc.nat({ max: 255 }),
      cut: fc.option(fc.nat(), { freq: 3 }),
    });
    fc.assert(
      fc.property(
        tensorsArbitrary,
        metadataArbitrary,
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        (tensors, metadata, mutations) => {
          let bytes = encodeSafetensors(tensors, metadata);
          for (const { at, value, cut } of mutations) {
            if (bytes.length > 0) bytes[at % bytes.length] = value;
            if (cut !== null) bytes = bytes.slice(0, cut % (bytes.length + 1));
          }
          expect(codeOf(() => decodeSafetensors(bytes))).toBeTypeOf('string');
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('header checks', () => {
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
  const f32 = (begin: number, end: number) => ({
    dtype: 'F32',
    shape: [1],
    data_offsets: [begin, end],
  });

  it.each([
    ['an empty file', new Uint8Array(0), 'not_safetensors'],
    [
      'a pickle archive',
      new TextEncoder().encode('PK\x03\x04 and so on, some bytes'),
      'not_safetensors',
    ],
    ['a header cut off', handmade({ x: f32(0, 4) }, 4).subarray(0, 20), 'truncated'],
    ['tensor data cut off', handmade({ x: f32(0, 4) }, 3), 'truncated'],
    ['bytes behind the last tensor', handmade({ x: f32(0, 4) }, 5), 'trailing_bytes'],
    ['broken JSON', handmade('{"x":'), 'bad_header'],
    ['invalid UTF-8', handmade('{"x":1}').with(10, 0xff), 'bad_header'],
    ['an entry that is no object', handmade({ x: null }), 'bad_header'],
    ['a negative shape', handmade({ x: { ...f32(0, 4), shape: [-1] } }, 4), 'bad_header'],
    ['offsets that run backwards', handmade({ x: f32(4, 0) }, 4), 'bad_header'],
    ['a gap', handmade({ x: f32(4, 8) }, 8), 'bad_header'],
    ['metadata that is no string', handmade({ __metadata__: { a: 1 } }), 'bad_header'],
    ['an overlap', handmade({ x: f32(0, 4), y: f32(2, 6) }, 6), 'overlapping_tensors'],
    ['an unknown dtype', handmade({ x: { ...f32(0, 4), dtype: 'Q4' } }, 4), 'unknown_dtype'],
    [
      'a dtype named after an object method',
      handmade({ x: { ...f32(0, 4), dtype: 'toString' } }, 4),
      'unknown_dtype',
    ],
    [
      'a shape of lists in lists without end',
      handmade(`{"x":{"dtype":"F32","shape":${deep},"data_offsets":[0,4]}}`, 4),
      'bad_header',
    ],
    [
      'offsets of lists in lists without end',
      handmade(`{"x":{"dtype":"F32","shape":[1],"data_offsets":${deep}}}`, 4),
      'bad_header',
    ],
    ['a size that is not the shape', handmade({ x: f32(0, 8) }, 8), 'size_mismatch'],
  ])('%s is refused', (_, bytes, code) => {
    const path = join(folder, 'bad.safetensors');
    writeFileSync(path, bytes);
    expect(codeOf(() => readHeader(path))).toBe(code);
    expect(codeOf(() => decodeSafetensors(bytes))).toBe(code);
    expect(() => readHeader(path)).toThrow(path);
  });

  it('names expected and actual bytes of a truncated file', () => {
    const whole = handmade({ x: f32(0, 4) }, 4);
    const cut = whole.subarray(0, whole.length - 1);
    expect(() => decodeSafetensors(cut, 'm.safetensors')).toThrow(
      `m.safetensors: truncated: ${whole.length} bytes expected, ${cut.length} found`,
    );
  });

  it('keeps a tensor called __proto__ apart from the object machinery', () => {
    const bytes = encodeSafetensors([
      ['__proto__', { dtype: 'U8', shape: [], data: Uint8Array.of(1) }],
    ]);
    expect([...decodeSafetensors(bytes).tensors.keys()]).toEqual(['__proto__']);
  });
});

describe('files', () => {
  it('are written, their header read alone, and single tensors read', () => {
    const path = join(folder, 'model.safetensors');
    const written = writeSafetensors(
      path,
      [
        ['ids', { dtype: 'I64', shape: [2], data: BigInt64Array.of(-1n, 2n) }],
        ['half', { dtype: 'F16', shape: [1, 2], data: Uint16Array.of(0x3c00, 0xc000) }],
        ['brain', { dtype: 'BF16', shape: [1], data: Uint16Array.of(0x3fc0) }],
        ['double', { dtype: 'F64', shape: [], data: Float64Array.of(0.5) }],
      ],
      { format: 'pt' },
    );
    expect(new Uint8Array(readFileSync(path))).toEqual(written);
    const header = readHeader(path);
    expect(header.fileSize).toBe(written.length);
    expect(header.metadata).toEqual({ format: 'pt' });
    const read = (name: string) => [...readFloat32(path, requireEntry(path, header, name))];
    expect(read('ids')).toEqual([-1, 2]);
    expect(read('half')).toEqual([1, -2]);
    expect(read('brain')).toEqual([1.5]);
    expect(read('double')).toEqual([0.5]);
    expect(readTensor(path, requireEntry(path, header, 'ids'))).toEqual(BigInt64Array.of(-1n, 2n));
    expect(() => requireEntry(path, header, 'tail')).toThrow(/no tensor "tail" among its 4: /);
  });

  it('that shrink after their header was read are reported as truncated', () => {
    const path = join(folder, 'shrinks.safetensors');
    const bytes = writeSafetensors(path, [
      ['x', { dtype: 'U8', shape: [9], data: new Uint8Array(9) }],
    ]);
    const entry = requireEntry(path, readHeader(path), 'x');
    writeFileSync(path, bytes.subarray(0, -2));
    expect(codeOf(() => readTensor(path, entry))).toBe('truncated');
  });

  it('of 8-bit floats open but do not convert', () => {
    expect(codeOf(() => toFloat32('F8_E4M3', new Uint8Array(1)))).toBe('unsupported_conversion');
  });

  it('are replaced whole, and a failed write leaves neither a trace nor a change', () => {
    const target = mkdtempSync(join(folder, 'durable-'));
    const path = join(target, 'a');
    writeFileDurably(path, Uint8Array.of(1));
    writeFileDurably(path, Uint8Array.of(2, 3));
    expect(readdirSync(target)).toEqual(['a']);
    expect([...readFileSync(path)]).toEqual([2, 3]);
    expect(() => writeFileDurably(target, Uint8Array.of(9))).toThrow();
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

const shared = join(import.meta.dirname, '../../../../shared');
const real = [
  'backbone/model.safetensors',
  ...['bert', 'xglm', 'xlm-roberta'].flatMap((family) => [
    `fixtures/backbones/${family}/model.safetensors`,
    `fixtures/backbones/${family}/cases.safetensors`,
  ]),
];

describe.skipIf(!real.every((file) => existsSync(join(shared, file))))(
  'files of other writers (skipped where ../shared is absent)',
  () => {
    it.each(real)('%s opens, decodes and re-encodes to equal tensors', (file) => {
      const path = join(shared, file);
      const header = readHeader(path);
      const decoded = decodeSafetensors(new Uint8Array(readFileSync(path)), path);
      expect(decoded.tensors.size).toBe(header.tensors.size);
      expect(header.tensors.size).toBeGreaterThan(10);
      const again = decodeSafetensors(encodeSafetensors(decoded.tensors, decoded.metadata));
      for (const [name, { dtype, data }] of decoded.tensors) {
        const other = again.tensors.get(name)!.data;
        expect(
          Buffer.compare(
            Buffer.from(other.buffer, other.byteOffset, other.byteLength),
            Buffer.from(data.buffer, data.byteOffset, data.byteLength),
          ),
          name,
        ).toBe(0);
        expect(toFloat32(dtype, data).every(Number.isFinite), name).toBe(true);
      }
    });
  },
);
