import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Parameter } from './parameter.ts';
import { stack, unstack } from './stack.ts';

/** Shapes of the parameters that may differ between prompts, by the size that differs. */
const SHAPES: Record<string, (size: number) => readonly number[]> = {
  prefix: (size) => [1, 2, 2, 2, size, 3],
  soft_prompt: (size) => [1, size, 4],
  head_weight: (size) => [1, 4, size],
  head_bias: (size) => [1, size],
};
const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 });

function parameters(name: string, own: readonly number[]): Parameter[] {
  return own.map((size, n) => {
    const shape = SHAPES[name]!(size);
    const count = shape.reduce((product, each) => product * each, 1);
    return { name, shape, data: Float32Array.from({ length: count }, (_, i) => 1 + i + 1000 * n) };
  });
}

describe.each(Object.keys(SHAPES))('a stack of %s', (name) => {
  it('gives every part back, and fills the rest with what has no effect', () => {
    fc.assert(
      fc.property(sizes, (own) => {
        const parts = parameters(name, own);
        const shape = SHAPES[name]!(Math.max(...own));
        const stacked = stack(parts, shape);
        expect(stacked.shape).toEqual([own.length, ...shape.slice(1)]);
        const all = stacked.data as Float32Array;
        for (const [n, part] of parts.entries()) {
          expect([...unstack(all, shape, n, part)]).toEqual([...part.data]);
        }
        const given = parts.reduce((sum, { data }) => sum + data.length, 0);
        const padding = name === 'head_bias' ? -1e9 : 0;
        expect(all.filter((value) => value === padding)).toHaveLength(all.length - given);
      }),
    );
  });
});

it('pads soft prompts in front, where the tokens do not begin', () => {
  const [short, long] = parameters('soft_prompt', [1, 2]) as [Parameter, Parameter];
  const { data } = stack([short, long], long.shape);
  expect([...(data as Float32Array).slice(0, 8)]).toEqual([0, 0, 0, 0, 1, 2, 3, 4]);
});
