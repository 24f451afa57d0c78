/** Where training starts: small random numbers, a backbone's own weights, an earlier version, or words. */
import { type Backbone, type CanonicalName, WEIGHT_INPUT } from '@polyprompt/backbone';
import type { Prompt } from '@polyprompt/prompts';
import { readFloat32 } from '@polyprompt/safetensors';
import type { Parameter } from './parameter.ts';
import { gaussian, randomStream } from './random.ts';
import type { TuningSettings } from './settings.ts';

export interface Start {
  readonly backbone: Backbone;
  readonly settings: TuningSettings;
  readonly labels: readonly string[];
  /** The version to continue from. */
  readonly parent?: Prompt | undefined;
  /** A head that is given and stays: [hidden, classes]. */
  readonly head?: Float32Array | undefined;
}

/**
 * The parameters of one prompt before its first step. Prompt and head are drawn from the seed,
 * biases are 0, tuned weights as they are. A parent's prompt is taken over, and of its head the
 * columns of the labels that both have.
 * @param inputs names and largest shapes, as the graph has them
 */
export function initialParameters(
  inputs: readonly { readonly name: string; readonly shape: readonly number[] }[],
  start: Start,
): Parameter[] {
  return inputs.map(({ name, shape: largest }) => {
    const shape = ownShape(name, largest, start);
    return { name, shape, data: initial(name, shape, start) };
  });
}

function ownShape(name: string, largest: readonly number[], start: Start): readonly number[] {
  const { length } = start.settings;
  const classes = start.labels.length;
  const [, ...rest] = largest as [number, ...number[]];
  switch (name) {
    case 'prefix': {
      const [layers, two, heads, , headDim] = rest as [number, number, number, number, number];
      return [1, layers, two, heads, length, headDim];
    }
    case 'soft_prompt':
      return [1, length, rest[1]!];
    case 'head_weight':
      return [1, rest[0]!, classes];
    case 'head_bias':
      return [1, classes];
    default:
      return largest;
  }
}

function initial(name: string, shape: readonly number[], start: Start): Float32Array {
  const { settings, backbone, parent, head } = start;
  const count = shape.reduce((product, size) => product * size, 1);
  const random = (deviation: number) =>
    gaussian(count, deviation, randomStream(settings.seed, name));
  if (name.startsWith(WEIGHT_INPUT)) {
    const weight = name.slice(WEIGHT_INPUT.length) as CanonicalName;
    const ref = backbone.checkpoint.tensors.get(weight)!;
    return readFloat32(ref.file, ref);
  }
  switch (name) {
    case 'prefix':
      return parent?.prefix?.data.slice() ?? random(settings.initStd);
    case 'soft_prompt':
      return parent?.softPrompt?.data.slice() ?? random(settings.initStd);
    case 'head_weight':
      return (
        head?.slice() ?? inherited(random(backbone.spec.initializerRange), start, 'headWeight')
      );
    default: {
      const zeros = new Float32Array(count);
      return head ? zeros : inherited(zeros, start, 'headBias');
    }
  }
}

/** Columns of the parent's head, by label. */
function inherited(
  values: Float32Array,
  { labels, parent }: Start,
  name: 'headWeight' | 'headBias',
): Float32Array {
  if (!parent) return values;
  const { data } = parent[name];
  const [own, theirs] = [labels.length, parent.labels.length];
  labels.forEach((label, c) => {
    const from = parent.labels.indexOf(label);
    if (from < 0) return;
    for (let row = 0; row < values.length / own; row++) {
      values[row * own + c] = data[row * theirs + from]!;
    }
  });
  return values;
}
