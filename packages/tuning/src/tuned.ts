/**
 * What the optimizer changes and what the graph is fed: the same numbers, unless the prompt is
 * computed from others (reparameterisation) or the head stays as it is (verbalizer).
 */
import type { FedPrompt } from './model.ts';
import type { Parameter } from './parameter.ts';
import type { Reparameterisation } from './reparameterisation.ts';
import type { TuningSettings } from './settings.ts';

export interface TunedOptions {
  readonly settings: TuningSettings;
  readonly classes: number;
  /** What the graph is fed, in its order. */
  readonly values: readonly Parameter[];
  /** Names of the values that stay as they are. */
  readonly fixed?: ReadonlySet<string>;
  /** Computes the prompt, the first of the values. */
  readonly reparameterisation?: Reparameterisation | undefined;
}

export class Tuned {
  /** Changed in place by the optimizer. */
  readonly parameters: readonly Parameter[];
  readonly #options: TunedOptions;

  constructor(options: TunedOptions) {
    const { values, fixed, reparameterisation } = options;
    this.#options = options;
    this.parameters = values.flatMap((value, i) => {
      if (i === 0 && reparameterisation) return reparameterisation.parameters;
      return fixed?.has(value.name) ? [] : [value];
    });
  }

  /** Brings what the graph is fed up to date with the parameters. */
  async refresh(): Promise<void> {
    const { reparameterisation, values } = this.#options;
    if (reparameterisation) values[0]!.data.set(await reparameterisation.fold());
  }

  /** @param mask factors on the prefix, for dropout */
  prompt(mask: Float32Array | null = null): FedPrompt {
    const { settings, classes, values } = this.#options;
    const { method, length, positions, pooling } = settings;
    return {
      length: method === 'prefix' || method === 'soft' ? length : 0,
      classes,
      positions,
      pooling,
      values: mask
        ? values.map((value) =>
            value.name === 'prefix' ? { ...value, data: product(value.data, mask) } : value,
          )
        : values,
    };
  }

  /** Number of values of the prefix; 0 without one. */
  get prefixSize(): number {
    return this.value('prefix')?.data.length ?? 0;
  }

  value(name: string): Parameter | undefined {
    return this.#options.values.find((value) => value.name === name);
  }

  /**
   * Gradients of the parameters from those of what was fed, which are used up.
   * @param mask the one of `prompt`: d loss / d prefix = mask * d loss / d (mask * prefix)
   */
  async pull(
    gradients: readonly Float32Array[],
    mask: Float32Array | null = null,
  ): Promise<readonly Float32Array[]> {
    const { values, fixed, reparameterisation } = this.#options;
    const result: Float32Array[] = [];
    for (const [i, value] of values.entries()) {
      const gradient = gradients[i]!;
      if (mask && value.name === 'prefix') multiplyInto(gradient, mask);
      if (i === 0 && reparameterisation) result.push(...(await reparameterisation.pull(gradient)));
      else if (!fixed?.has(value.name)) result.push(gradient);
    }
    return result;
  }

  async release(): Promise<void> {
    await this.#options.reparameterisation?.release();
  }
}

function product(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((value, i) => value * b[i]!);
}

function multiplyInto(a: Float32Array, b: Float32Array): void {
  for (let i = 0; i < a.length; i++) a[i] = a[i]! * b[i]!;
}
