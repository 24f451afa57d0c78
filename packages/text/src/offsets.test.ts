import fc from 'fast-check';
import { expect, it } from 'vitest';
import { OFFSET_UNITS } from './code-points.ts';
import { fromUnit, toUnit } from './offsets.ts';

it.each(OFFSET_UNITS)('maps code points to %s and back', (unit) => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const there = toUnit(text, unit);
      const back = fromUnit(text, unit);
      const points = [...text];
      for (let i = 0; i <= points.length; i++) {
        const before = points.slice(0, i).join('');
        const expected = { codepoint: i, utf16: before.length, byte: Buffer.byteLength(before) };
        expect(there(i)).toBe(expected[unit]);
        expect(back(there(i))).toBe(i);
      }
      expect(back(there(points.length) + 1)).toBeUndefined();
      expect(back(-1)).toBeUndefined();
    }),
  );
});

it('has no code point inside of a character', () => {
  expect(fromUnit('a😀b', 'utf16')(2)).toBeUndefined();
  expect(fromUnit('aéb', 'byte')(2)).toBeUndefined();
});
