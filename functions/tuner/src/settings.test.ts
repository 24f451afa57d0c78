import { JobCreate } from '@polyprompt/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hyperparametersOf, tuningInput } from './settings.ts';
import { testBackbone } from './testing/backbone.ts';

const { spec } = testBackbone().backbone;
const plain = { seed: 1, hyperparameters: {}, settings: {} };

describe('tuningInput', () => {
  it('leaves what is absent or automatic to the recipe', () => {
    const expected = { task: 'text-classification', seed: 1 };
    expect(tuningInput(plain, spec)).toEqual(expected);
    const hyperparameters = {
      n_epochs: 'auto',
      batch_size: 'auto',
      learning_rate_multiplier: 'auto',
    };
    expect(tuningInput({ ...plain, hyperparameters }, spec)).toEqual(expected);
  });

  it('maps every setting of the contract', () => {
    const create = JobCreate.parse({
      model: 'tiny',
      training_file: 'file-abc',
      hyperparameters: { n_epochs: 3, batch_size: 4 },
      prompt: {
        task: 'text-classification',
        method: 'soft',
        length: 5,
        reparameterise: 64,
        recipe: 'default',
        learning_rate: 0.02,
        dropout: 0.3,
        languages: ['en'],
        early_stopping: 2,
        activate: 'staging',
      },
    });
    const job = {
      seed: 7,
      hyperparameters: create.hyperparameters ?? {},
      settings: create.prompt ?? {},
    };
    expect(tuningInput(job, spec)).toEqual({
      task: 'text-classification',
      method: 'soft',
      length: 5,
      reparameterise: 64,
      recipe: 'default',
      learningRate: 0.02,
      dropout: 0.3,
      headDropout: 0.3,
      languages: ['en'],
      patience: 2,
      epochs: 3,
      batchSize: 4,
      seed: 7,
    });
  });

  it('multiplies the learning rate given, or else that of the recipe', () => {
    const hyperparameters = { learning_rate_multiplier: 0.5 };
    const rate = (settings: object) =>
      tuningInput({ ...plain, hyperparameters, settings }, spec).learningRate;
    const recipe = (settings: object) =>
      hyperparametersOf({ ...plain, settings }, tuningInput({ ...plain, settings }, spec), spec);
    expect(rate({})).toBe(0.0025);
    expect(rate({ method: 'soft' })).toBe(0.005);
    expect(rate({ recipe: 'tu2022-xnli' })).toBe(0.0005);
    expect(rate({ learning_rate: 0.02 })).toBe(0.01);
    expect(recipe({ recipe: 'tu2022-xnli' }).batch_size).toBe(16);
  });

  it('refuses what does not fit the backbone or is out of range', () => {
    const of = (more: object) => () => tuningInput({ ...plain, ...more }, spec);
    expect(of({ settings: { recipe: 'none-such' } })).toThrow(/recipe "none-such" is unknown/);
    expect(of({ settings: { lenght: 3 } })).toThrow(/prompt: .*lenght/);
    expect(of({ settings: { length: 511 } })).toThrow(/at most|positions/);
    expect(of({ hyperparameters: { n_epochs: 0 } })).toThrow(/hyperparameters: .*n_epochs/s);
    expect(of({ hyperparameters: { learning_rate_multiplier: 1e6 } })).toThrow(/learningRate/);
  });
});

describe('hyperparametersOf', () => {
  it('fills in values that come to the same training', () => {
    const auto = (value: fc.Arbitrary<number>) => fc.oneof(value, fc.constant('auto'));
    const choices = fc.record(
      {
        n_epochs: auto(fc.integer({ min: 1, max: 50 })),
        batch_size: auto(fc.integer({ min: 1, max: 256 })),
        learning_rate_multiplier: auto(fc.double({ min: 0.01, max: 10, noNaN: true })),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(choices, (hyperparameters) => {
        const job = { ...plain, hyperparameters };
        const input = tuningInput(job, spec);
        const filled = hyperparametersOf(job, input, spec);
        const again = { ...job, hyperparameters: filled };
        expect(hyperparametersOf(again, tuningInput(again, spec), spec)).toEqual(filled);
        expect(tuningInput(again, spec)).toMatchObject(input);
      }),
    );
  });
});
