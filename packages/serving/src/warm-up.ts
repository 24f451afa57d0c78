import type { BackboneSpec, PromptKind, PromptTensors } from '@polyprompt/backbone';

/** A prompt of zeros whose rows run through the graph of a kind. */
export function warmUpPrompt(spec: BackboneSpec, kind: PromptKind): PromptTensors {
  const { layers, heads, headDim, hidden } = spec;
  return {
    ...(kind === 'prefix' ? { prefix: zeros(layers, 2, heads, 1, headDim) } : {}),
    ...(kind === 'soft' ? { softPrompt: zeros(1, hidden) } : {}),
    headWeight: zeros(hidden, 1),
    headBias: zeros(1),
    pooling: 'first',
    positions: 'shifted',
  };
}

function zeros(...shape: number[]) {
  return { shape, data: new Float32Array(shape.reduce((count, size) => count * size, 1)) };
}
