import fc from 'fast-check';
import { expect, it } from 'vitest';
import { quantizeColumns } from './quantize.ts';

const matrices = fc
  .record({ outputs: fc.integer({ min: 1, max: 70 }), inputs: fc.integer({ min: 1, max: 70 }) })
  .chain(({ outputs, inputs }) =>
    fc.record({
      outputs: fc.constant(outputs),
      inputs: fc.constant(inputs),
      weight: fc.float32Array({
        minLength: outputs * inputs,
        maxLength: outputs * inputs,
        min: -100,
        max: 100,
        noNaN: true,
      }),
    }),
  );

it('keeps every weight to half a step of its column, and uses all steps of each', () => {
  fc.assert(
    fc.property(matrices, ({ weight, outputs, inputs }) => {
      const { matrix, scale } = quantizeColumns(weight, outputs, inputs);
      expect([matrix.length, scale.length]).toEqual([inputs * outputs, outputs]);
      for (let n = 0; n < outputs; n++) {
        const column = Array.from({ length: inputs }, (_, k) => matrix[k * outputs + n]!);
        const row = weight.subarray(n * inputs, (n + 1) * inputs);
        const reach = Math.max(...row.map(Math.abs));
        expect(scale[n]).toBeGreaterThan(0);
        if (reach > 1e-30) expect(Math.max(...column.map(Math.abs))).toBe(127);
        column.forEach((step, k) => {
          const half = Math.max(reach / 254, 1e-30);
          expect(Math.abs(row[k]! - scale[n]! * step)).toBeLessThanOrEqual(half * 1.0001);
        });
      }
    }),
    { numRuns: 50 },
  );
});

it('has zeros for a column of zeros', () => {
  const { matrix, scale } = quantizeColumns(Float32Array.of(0, 0, 3, -1.5), 2, 2);
  expect([...matrix]).toEqual([0, 127, 0, -63]);
  expect(scale[1]).toBeCloseTo(3 / 127, 6);
});
