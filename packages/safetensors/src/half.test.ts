import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  float32ToBfloat16,
  float32ToFloat16,
} from './half.ts';

const ALL_PATTERNS = Uint16Array.from({ length: 0x10000 }, (_, pattern) => pattern);

// The runtime's own DataView is the oracle; the ES2024 type library does not know these methods yet.
interface HalfView {
  getFloat16(offset: number): number;
  setFloat16(offset: number, value: number): void;
  getUint16(offset: number): number;
}
const oracle = new DataView(new ArrayBuffer(2)) as DataView & HalfView;

function nativeHalf(value: number): number {
  oracle.setFloat16(0, value);
  return oracle.getUint16(0);
}

describe('float16', () => {
  it('widens all 65,536 patterns to the value that the runtime gives', () => {
    const widened = float16ToFloat32(ALL_PATTERNS);
    const expected = Float32Array.from(ALL_PATTERNS, (pattern) => {
      oracle.setUint16(0, pattern);
      return oracle.getFloat16(0);
    });
    expect(widened).toEqual(expected);
    expect(Object.is(widened[0x8000], -0)).toBe(true);
  });

  it('narrows every widened number back to its pattern, NaN to NaN', () => {
    const back = float32ToFloat16(float16ToFloat32(ALL_PATTERNS));
    for (const [pattern, result] of back.entries()) {
      const nan = (pattern & 0x7fff) > 0x7c00;
      expect(result).toBe(nan ? pattern | 0x200 : pattern);
    }
  });

  it('rounds the midpoint of every two neighbours to even, and its neighbours to nearest', () => {
    const finite = float16ToFloat32(ALL_PATTERNS.subarray(0, 0x7c00));
    for (let low = 0; low + 1 < finite.length; low++) {
      const middle = (finite[low]! + finite[low + 1]!) / 2;
      const gap = finite[low + 1]! - finite[low]!;
      const even = low % 2 === 0 ? low : low + 1;
      const values = Float32Array.of(middle, middle - gap / 8, middle + gap / 8, -middle);
      const expected = Uint16Array.of(even, low, low + 1, even | 0x8000);
      if (!float32ToFloat16(values).every((half, i) => half === expected[i])) {
        expect(float32ToFloat16(values)).toEqual(expected);
      }
    }
  });

  it('overflows to infinity from 65520 up', () => {
    const below = Math.fround(65519.99);
    expect(float32ToFloat16(Float32Array.of(below, 65520, 1e30, Number.POSITIVE_INFINITY))).toEqual(
      Uint16Array.of(0x7bff, 0x7c00, 0x7c00, 0x7c00),
    );
  });

  it('rounds any float32 as the runtime does', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), (value) => {
        expect(float32ToFloat16(Float32Array.of(value))[0]).toBe(nativeHalf(value));
      }),
    );
  });
});

describe('bfloat16', () => {
  it('round-trips all 65,536 patterns, NaN to a quiet NaN', () => {
    const widened = bfloat16ToFloat32(ALL_PATTERNS);
    expect(widened[0x3f80]).toBe(1);
    expect(widened[0xc040]).toBe(-3);
    for (const [pattern, result] of float32ToBfloat16(widened).entries()) {
      const nan = (pattern & 0x7fff) > 0x7f80;
      expect(result).toBe(nan ? pattern | 0x40 : pattern);
    }
  });

  it('rounds to nearest, ties to even', () => {
    const values = Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, 3.4e38);
    expect(float32ToBfloat16(values)).toEqual(Uint16Array.of(0x3f80, 0x3f82, 0x3f81, 0x7f80));
  });
});
