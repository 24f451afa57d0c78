import { randomStream } from '@polyprompt/tuning';
import { describe, expect, it } from 'vitest';
import { alignment, fitClassifier, predictClasses, type States } from './boundary.ts';

const HIDDEN = 6;

/** Two classes apart along one axis, which `turned` swaps for another. */
function states(count: number, seed: number, axis: number): States {
  const random = randomStream(seed, 'states');
  const classes = Array.from({ length: count }, () => Number(random() < 0.5));
  const data = Float32Array.from({ length: count * HIDDEN }, (_, i) => {
    const [row, column] = [Math.floor(i / HIDDEN), i % HIDDEN];
    const noise = random() - 0.5;
    return column === axis ? 4 * (classes[row]! - 0.5) + noise : noise;
  });
  return { data, hidden: HIDDEN, classes };
}

describe('a linear classifier', () => {
  it('finds a boundary that exists', async () => {
    const classifier = await fitClassifier(states(80, 1, 2), 2);
    const fresh = states(60, 2, 2);
    expect(predictClasses(classifier, fresh)).toEqual(fresh.classes);
  });

  it('is the same every time', async () => {
    const [a, b] = [
      await fitClassifier(states(40, 1, 0), 2),
      await fitClassifier(states(40, 1, 0), 2),
    ];
    expect(a.weight).toEqual(b.weight);
  });
});

describe('alignment', () => {
  it('is full where the languages share a boundary', async () => {
    const english = await fitClassifier(states(80, 1, 2), 2);
    const shared = await alignment(english, states(80, 5, 2));
    expect(shared).toMatchObject({ english: 1, refitted: 1, agreement: 1 });
  });

  it('is missing where the boundary lies elsewhere, though a refit finds it', async () => {
    const english = await fitClassifier(states(80, 1, 2), 2);
    const turned = await alignment(english, states(80, 5, 4));
    expect(turned.refitted).toBe(1);
    expect(turned.english).toBeLessThan(0.9);
    expect(turned.agreement).toBe(turned.english);
  });
});
