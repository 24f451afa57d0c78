/**
 * Random numbers as a pure function of (seed, purpose, counter): a resumed run draws exactly what
 * the unbroken one would have drawn, without any generator state in the checkpoint.
 */

/** A stream of uniform numbers in [0, 1), from xoshiro128** seeded by splitmix32 (Blackman, Vigna). */
export type Random = () => number;

export function randomStream(seed: number, purpose: string, counter = 0): Random {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  const mix = (value: number) => {
    state = (Math.imul(state ^ value, 0x85ebca6b) + 0x9e3779b9) >>> 0;
    state ^= state >>> 13;
  };
  for (let i = 0; i < purpose.length; i++) mix(purpose.charCodeAt(i));
  mix(counter >>> 0);
  mix(Math.floor(counter / 2 ** 32));
  const next = () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  let [a, b, c, d] = [next(), next(), next(), next()];
  return () => {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
    return result / 2 ** 32;
  };
}

/** Numbers from a normal distribution with mean 0 (Box and Muller). */
export function gaussian(count: number, deviation: number, random: Random): Float32Array {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < count) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

/** 0..count-1 in random order (Fisher and Yates). */
export function permutation(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Factors of inverted dropout: 0 with probability `rate`, else 1 / (1 - rate). */
export function dropoutMask(count: number, rate: number, random: Random): Float32Array {
  const mask = new Float32Array(count);
  if (rate === 0) return mask.fill(1);
  const keep = 1 / (1 - rate);
  for (let i = 0; i < count; i++) mask[i] = random() < rate ? 0 : keep;
  return mask;
}
