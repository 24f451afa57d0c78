import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseRange } from './range.ts';

it('selects the bytes that RFC 9110 selects, or refuses', () => {
  const position = fc.option(fc.nat(30), { nil: undefined });
  fc.assert(
    fc.property(position, position, fc.nat(20), (first, last, size) => {
      fc.pre(first !== undefined || last !== undefined);
      const all = Array.from({ length: size }, (_, i) => i);
      const want =
        first === undefined
          ? all.slice(Math.max(size - last!, 0))
          : all.filter((i) => i >= first && i <= (last ?? Number.POSITIVE_INFINITY));
      const parse = () => parseRange(`bytes=${first ?? ''}-${last ?? ''}`, size);
      if (first !== undefined && last !== undefined && last < first)
        expect(parse()).toBeUndefined();
      else if (want.length === 0) expect(parse).toThrow('not satisfiable');
      else {
        const { start, end } = parse()!;
        expect(all.slice(start, end)).toEqual(want);
      }
    }),
  );
});

it.each([undefined, '', 'bytes=', 'bytes=-', 'bytes=a-b', 'bytes=0-1,3-4', 'items=0-1'])(
  'ignores %j',
  (header) => {
    expect(parseRange(header, 10)).toBeUndefined();
  },
);
