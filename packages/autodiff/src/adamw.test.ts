import { describe, expect, it } from 'vitest';
import { AdamW, clipScale, globalNorm } from './adamw.ts';

describe('AdamW', () => {
  it('moves by the learning rate in the first step, whatever the gradient size', () => {
    const x = Float32Array.of(1, 1);
    new AdamW([x]).step([Float32Array.of(1e-3, -50)], 0.1);
    expect(x[0]).toBeCloseTo(0.9, 4);
    expect(x[1]).toBeCloseTo(1.1, 5);
  });

  it('decays weights apart from the gradient', () => {
    const x = Float32Array.of(2);
    new AdamW([x]).step([Float32Array.of(0)], 0.1, 0.5);
    expect(x[0]).toBeCloseTo(2 * (1 - 0.05), 6);
  });

  it('continues from its state as if never interrupted', () => {
    const gradients = [0.3, -0.2, 0.9, 0.1].map((g) => [Float32Array.of(g)]);
    const whole = Float32Array.of(1);
    const run = new AdamW([whole]);
    for (const g of gradients) run.step(g, 0.01, 0.1);

    const halves = Float32Array.of(1);
    const first = new AdamW([halves]);
    for (const g of gradients.slice(0, 2)) first.step(g, 0.01, 0.1);
    const second = new AdamW([halves], {}, structuredClone(first.state));
    for (const g of gradients.slice(2)) second.step(g, 0.01, 0.1);
    expect(halves).toEqual(whole);
  });
});

describe('clipping', () => {
  it('measures over all gradients and scales down only', () => {
    const norm = globalNorm([Float32Array.of(3), Float32Array.of(4)]);
    expect(norm).toBe(5);
    expect(clipScale(norm, 1)).toBeCloseTo(0.2, 6);
    expect(clipScale(0.5, 1)).toBe(1);
  });
});
