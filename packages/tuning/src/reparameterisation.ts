/**
 * A prompt that is computed from an embedding by a small network while it is trained (P-Tuning v2).
 * What is published is the prompt that comes out: serving knows nothing of the network.
 */
import { compile, type Program, type TensorData } from '@polyprompt/autodiff';
import { type BackboneSpec, GRADIENT, reparameterisationGraph } from '@polyprompt/backbone';
import type { Parameter } from './parameter.ts';
import { gaussian, randomStream } from './random.ts';
import type { TuningSettings } from './settings.ts';

export class Reparameterisation {
  readonly parameters: readonly Parameter[];
  readonly #shape: readonly number[];
  readonly #fold: Program;
  readonly #pull: Program;

  private constructor(
    parameters: readonly Parameter[],
    shape: readonly number[],
    fold: Program,
    pull: Program,
  ) {
    this.parameters = parameters;
    this.#shape = shape;
    this.#fold = fold;
    this.#pull = pull;
  }

  /** Weights as the reference initialises them: normal, biases 0. */
  static async create(spec: BackboneSpec, settings: TuningSettings): Promise<Reparameterisation> {
    const { method, length, reparameterise, seed, initStd } = settings;
    const graph = reparameterisationGraph(spec, {
      method: method as 'prefix' | 'soft',
      length,
      width: reparameterise,
    });
    const parameters = graph.parameters.map(({ name, shape }) => {
      const count = shape.reduce((product, size) => product * size, 1);
      const data = name.endsWith('.bias')
        ? new Float32Array(count)
        : gaussian(count, initStd, randomStream(seed, name));
      return { name, shape, data };
    });
    const shape = graph.prompt.shape as number[];
    const fold = await compile({ prompt: graph.prompt });
    return new Reparameterisation(parameters, shape, fold, await compile(graph.gradients));
  }

  /** The prompt of the current parameters. */
  async fold(): Promise<Float32Array> {
    const { prompt } = await this.#fold.run(this.#feeds());
    return prompt!.data as Float32Array;
  }

  /** Gradients of the parameters, from that of the prompt. */
  async pull(gradient: Float32Array): Promise<Float32Array[]> {
    const given = { prompt_gradient: { data: gradient, shape: this.#shape } };
    const result = await this.#pull.run({ ...this.#feeds(), ...given });
    return this.parameters.map(({ name }) => result[GRADIENT + name]!.data as Float32Array);
  }

  async release(): Promise<void> {
    await this.#fold.release();
    await this.#pull.release();
  }

  #feeds(): Record<string, TensorData> {
    return Object.fromEntries(
      this.parameters.map(({ name, shape, data }) => [name, { data, shape }]),
    );
  }
}
