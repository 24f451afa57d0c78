/** What a model's head reads for a text: the pooled state, before any head. */
import { type Backbone, Predictor, type PromptTensors } from '@polyprompt/backbone';
import type { Piece } from '@polyprompt/tasks';

/**
 * Pooled states of rows, row-major [rows, hidden]: a head that is the identity hands them through,
 * so they are computed by exactly the graph that serves.
 * @param prompt whose prefix, pooling and positions are used; without one, the bare backbone
 */
export async function pooledStates(
  backbone: Backbone,
  pieces: readonly Piece[],
  prompt: PromptTensors | null,
  pooling: PromptTensors['pooling'],
  batch = 32,
): Promise<Float32Array> {
  const { hidden } = backbone.spec;
  const identity = new Float32Array(hidden * hidden);
  for (let h = 0; h < hidden; h++) identity[h * hidden + h] = 1;
  const tensors: PromptTensors = {
    ...(prompt ?? { pooling, positions: 'shifted' as const }),
    headWeight: { shape: [hidden, hidden], data: identity },
    headBias: { shape: [hidden], data: new Float32Array(hidden) },
  };
  const predictor = new Predictor(backbone, { device: 'cpu' });
  const states = new Float32Array(pieces.length * hidden);
  try {
    for (let start = 0; start < pieces.length; start += batch) {
      const rows = pieces.slice(start, start + batch);
      const logits = await predictor.predict(
        rows.map(({ ids, typeIds }) => ({ ids, typeIds, prompt: tensors })),
      );
      logits.forEach(({ pooled }, i) => {
        states.set(pooled, (start + i) * hidden);
      });
    }
  } finally {
    await predictor.release();
  }
  return states;
}
