import { JobCreate } from '@polyprompt/contract';
import { describe, expect, it } from 'vitest';
import { tuningInput } from './settings.ts';
import { testBackbone } from './testing/backbone.ts';

const { backbone } = testBackbone();

describe('tuningInput', () => {
  it('leaves what is absent or automatic to the recipe', () => {
    expect(tuningInput({}, backbone)).toEqual({ task: 'text-classification' });
    const hyperparameters = {
      n_epochs: 'auto',
      batch_size: 'auto',
      learning_rate_multiplier: 'auto',
    } as const;
    const prompt = { task: 'text-classification' } as const;
    expect(tuningInput({ hyperparameters, prompt, seed: null }, backbone)).toEqual(prompt);
  });

  it('maps every setting of the contract', () => {
    const create = JobCreate.parse({
      model: 'tiny',
      training_file: 'file-abc',
      seed: 7,
      hyperparameters: { n_epochs: 3, batch_size: 4 },
      prompt: {
        task: 'text-classification',
        method: 'soft',
        length: 5,
        recipe: 'default',
        learning_rate: 0.02,
        dropout: 0.3,
        languages: ['en'],
        early_stopping: 2,
        activate: 'staging',
      },
    });
    expect(tuningInput(create, backbone)).toEqual({
      task: 'text-classification',
      method: 'soft',
      length: 5,
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
    const rate = (prompt: object) =>
      tuningInput({ hyperparameters, prompt: { task: 'text-classification', ...prompt } }, backbone)
        .learningRate;
    expect(rate({})).toBe(0.0025);
    expect(rate({ method: 'soft' })).toBe(0.005);
    expect(rate({ recipe: 'tu2022-xnli' })).toBe(0.0005);
    expect(rate({ learning_rate: 0.02 })).toBe(0.01);
  });

  it('refuses what does not fit the backbone or is out of range', () => {
    const of = (prompt: object) => () =>
      tuningInput({ prompt: { task: 'text-classification', ...prompt } }, backbone);
    expect(of({ recipe: 'none-such' })).toThrow(/recipe "none-such" is unknown/);
    expect(of({ length: 511 })).toThrow(/exceeds the backbone's positions|at most/);
    expect(() =>
      tuningInput({ hyperparameters: { learning_rate_multiplier: 1e6 } }, backbone),
    ).toThrow(/learningRate/);
  });
});
