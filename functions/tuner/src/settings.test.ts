import { JobCreate, LIMITS } from '@polyprompt/contract';
import { candidateName, MAX_CANDIDATES } from '@polyprompt/tuning';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readJobSettings, settingsRefusal, traitsOf } from './settings.ts';
import { testBackbone } from './testing/backbone.ts';

const traits = { ...traitsOf(testBackbone().backbone), hasPooler: true };
const plain = { seed: 1, hyperparameters: {}, settings: {} };
const read = (more: object = {}) => readJobSettings({ ...plain, ...more }, traits);

/** The field at fault and why, as the sender of a job learns it. */
function refusal(more: object) {
  try {
    read(more);
  } catch (error) {
    return settingsRefusal(error);
  }
  throw new Error('they were accepted');
}

describe('readJobSettings', () => {
  it('leaves what is absent or automatic to the recipe', () => {
    const expected = { task: 'text-classification', seed: 1 };
    expect(read()).toMatchObject({ settings: expected, candidates: [] });
    const hyperparameters = {
      n_epochs: 'auto',
      batch_size: 'auto',
      learning_rate_multiplier: 'auto',
    };
    expect(read({ hyperparameters }).settings).toEqual(expected);
  });

  it('maps every setting of the contract', () => {
    const create = JobCreate.parse({
      model: 'tiny',
      training_file: 'file-abc',
      hyperparameters: { n_epochs: 3, batch_size: 4 },
      prompt: {
        task: 'token-classification',
        method: 'soft',
        length: 5,
        reparameterise: 64,
        recipe: 'default',
        learning_rate: 0.02,
        dropout: 0.3,
        pooling: 'first',
        languages: ['en'],
        offset_unit: 'utf16',
        invalid_tags: 'refuse',
        early_stopping: 2,
        activate: 'staging',
      },
    });
    const asked = read({
      seed: 7,
      hyperparameters: create.hyperparameters ?? {},
      settings: create.prompt ?? {},
    });
    expect(asked.settings).toEqual({
      task: 'token-classification',
      method: 'soft',
      length: 5,
      reparameterise: 64,
      recipe: 'default',
      learningRate: 0.02,
      dropout: 0.3,
      headDropout: 0.3,
      pooling: 'first',
      languages: ['en'],
      offsetUnit: 'utf16',
      invalidTags: 'refuse',
      patience: 2,
      epochs: 3,
      batchSize: 4,
      seed: 7,
    });
  });

  it('multiplies the learning rate given, or else that of the recipe', () => {
    const hyperparameters = { learning_rate_multiplier: 0.5 };
    const rate = (settings: object) => read({ hyperparameters, settings }).settings.learningRate;
    expect(rate({})).toBe(0.0025);
    expect(rate({ method: 'soft' })).toBe(0.005);
    expect(rate({ recipe: 'tu2022-xnli' })).toBe(0.0005);
    expect(rate({ learning_rate: 0.02 })).toBe(0.01);
    const { batch_size } = read({ settings: { recipe: 'tu2022-xnli' } }).hyperparameters;
    expect(batch_size).toBe(16);
  });

  it.each<[object, string, RegExp]>([
    [{ settings: { recipe: 'none-such' } }, 'prompt.recipe', /known are default, tu2022-xnli/],
    [{ settings: { recipe: 'tu2022-udpos' } }, 'prompt.recipe', /is for token-classification/],
    [{ settings: { lenght: 3 } }, 'prompt', /prompt: .*lenght/],
    [{ settings: { length: 511 } }, 'prompt.length', /length 511 leaves room.* at most \d+/],
    [{ settings: { dropout: 0.95 } }, 'prompt.dropout', /dropout is 0.95/],
    [{ settings: { method: 'head', reparameterise: 8 } }, 'prompt.reparameterise', /has none/],
    [{ hyperparameters: { n_epochs: 0 } }, 'prompt', /hyperparameters: .*n_epochs/s],
    [
      { hyperparameters: { learning_rate_multiplier: 1e6 } },
      'hyperparameters.learning_rate_multiplier',
      /learningRate is 5000/,
    ],
  ])('refuses %j, naming the field', (more, param, message) => {
    expect(refusal(more)).toEqual({ param, message: expect.stringMatching(message) });
  });

  it('fills in hyper-parameters that come to the same training', () => {
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
        const once = read({ hyperparameters });
        const again = read({ hyperparameters: once.hyperparameters });
        expect(again.hyperparameters).toEqual(once.hyperparameters);
        expect(again.settings).toMatchObject(once.settings);
      }),
    );
  });
});

describe('candidates of a job', () => {
  const names = (candidates: object, more: object = {}) =>
    read({ ...more, settings: { candidates } }).candidates.map(candidateName);

  it('are every combination of the lists, in the words of the wire or of the command line', () => {
    const expected = ['lr=0.001 seed=1', 'lr=0.001 seed=2', 'lr=0.005 seed=1', 'lr=0.005 seed=2'];
    expect(names({ seed: [1, 2], learning_rate: [1e-3, 5e-3] })).toEqual(expected);
    expect(names({ lr: [1e-3, 5e-3], seed: [1, 2] })).toEqual(expected);
    expect(names({ n_epochs: [2], batch_size: [4], schedule: ['linear'] })).toEqual([
      'epochs=2 batch-size=4 schedule=linear',
    ]);
    expect(names({ epochs: [2] })).toEqual(['epochs=2']);
  });

  it('have the dropout on prompt and head, as a job has', () => {
    expect(names({ dropout: [0, 0.2] })).toEqual([
      'dropout=0 head-dropout=0',
      'dropout=0.2 head-dropout=0.2',
    ]);
    expect(names({ dropout: [0.2], head_dropout: [0.1] })).toEqual([
      'dropout=0.2 head-dropout=0.1',
    ]);
  });

  it.each<[object, object, string, RegExp]>([
    [{}, {}, 'prompt.candidates', /there are none/],
    [{ lr: [1], learning_rate: [1] }, {}, 'prompt.candidates', /given twice/],
    [{ schedule: ['cosine?'] }, {}, 'prompt.candidates', /candidate schedule=cosine\?: schedule/],
    [{ warmup: [0.1, 2] }, {}, 'prompt.candidates', /candidate warmup=2: warmup is 2/],
    [{ length: [4, 511] }, {}, 'prompt.candidates', /candidate length=511: .*at most/],
    [
      { seed: [1, 2, 3, 4, 5, 6, 7, 8, 9], length: [1, 2, 3, 4, 5, 6, 7, 8] },
      {},
      'prompt.candidates',
      /72 combinations are more than 64/,
    ],
    [
      { lr: [1e-3] },
      { hyperparameters: { learning_rate_multiplier: 2 } },
      'hyperparameters.learning_rate_multiplier',
      /give one of the two/,
    ],
  ])('%j are refused', (candidates, more, param, message) => {
    expect(refusal({ ...more, settings: { candidates } })).toEqual({
      param,
      message: expect.stringMatching(message),
    });
  });

  it('have one limit, on the wire and in the library', () => {
    expect(LIMITS.candidates).toBe(MAX_CANDIDATES);
  });
});
