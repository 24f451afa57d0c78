import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodePoints } from './code-points.ts';

describe('CodePoints', () => {
  const text = fc.string({ unit: 'binary' });

  it('slices like an array of characters', () => {
    fc.assert(
      fc.property(text, fc.nat(20), fc.nat(20), (value, a, b) => {
        const points = new CodePoints(value);
        const characters = [...value];
        expect(points.length).toBe(characters.length);
        const [start, end] = [
          Math.min(a, b, points.length),
          Math.min(Math.max(a, b), points.length),
        ];
        expect(points.slice(start, end)).toBe(characters.slice(start, end).join(''));
      }),
    );
  });

  it('goes to UTF-16 and back, and to bytes', () => {
    fc.assert(
      fc.property(text, (value) => {
        const points = new CodePoints(value);
        for (let i = 0; i <= points.length; i++) {
          expect(points.fromUtf16(points.toUtf16(i))).toBe(i);
          expect(value.slice(points.inUnit(i, 'utf16'))).toBe([...value].slice(i).join(''));
          const bytes = Buffer.from(value);
          expect(bytes.subarray(points.inUnit(i, 'byte')).toString()).toBe(
            [...value].slice(i).join(''),
          );
        }
      }),
    );
  });

  it('knows white space', () => {
    fc.assert(
      fc.property(text, (value) => {
        const points = new CodePoints(value);
        const spaces = [...value].map((character) => /^\p{White_Space}$/u.test(character));
        expect(spaces.map((_, i) => points.isSpace(i))).toEqual(spaces);
      }),
    );
    const points = new CodePoints('😀\u3000\u0085\ufeff\u200b');
    expect([1, 2, 3, 4].map((i) => points.isSpace(i))).toEqual([true, true, false, false]);
  });

  it('counts as shown', () => {
    const points = new CodePoints('a😀é');
    expect(points.inUnit(2, 'codepoint')).toBe(2);
    expect(points.inUnit(2, 'utf16')).toBe(3);
    expect(points.inUnit(2, 'byte')).toBe(5);
    expect(points.fromUtf16(2)).toBe(1);
  });
});
