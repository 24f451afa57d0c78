import { TASK_NAMES } from '@polyprompt/tasks';
import { describe, expect, it } from 'vitest';
import { parseCandidates } from './candidates.ts';
import { resolveJobSettings } from './job-settings.ts';
import { RECIPES, recipesFor } from './recipes.ts';
import { resolveSettings, type TuningInput } from './settings.ts';

const backbone = {
  name: 'tiny',
  family: 'roberta' as const,
  usableTokens: (length: number) => 512 - length,
  hasPooler: true,
  predictsWords: false,
};
const task = 'text-classification' as const;

describe('resolveSettings', () => {
  it('needs nothing but a task', () => {
    const settings = resolveSettings({ task }, backbone);
    expect(settings).toMatchObject({ task, recipe: 'default', method: 'prefix', length: 16 });
  });

  it('lets a decoder read no token that has seen nothing', () => {
    const decoder = { ...backbone, family: 'xglm' as const };
    expect(() => resolveSettings({ task, pooling: 'first' }, decoder)).toThrow('use "last"');
    expect(resolveSettings({ task, pooling: 'first' }, backbone).pooling).toBe('first');
  });

  it('lets given values win over the recipe', () => {
    const settings = resolveSettings({ task, recipe: 'tu2022-xnli', batchSize: 8 }, backbone);
    expect(settings).toMatchObject({
      recipe: 'tu2022-xnli',
      learningRate: 1e-3,
      length: 32,
      batchSize: 8,
      pooling: 'pooler',
      select: 'loss',
    });
  });

  it('resolves every recipe for every method and family', () => {
    const resolved = new Set<string>();
    for (const task of TASK_NAMES) {
      for (const recipe of recipesFor(task)) {
        for (const method of ['prefix', 'soft', 'full', 'head'] as const) {
          for (const family of ['roberta', 'bert', 'xglm'] as const) {
            const settings = resolveSettings({ task, recipe, method }, { ...backbone, family });
            expect(settings.pooling === 'last').toBe(family === 'xglm');
            resolved.add(recipe);
          }
        }
      }
    }
    expect([...resolved].sort()).toEqual([...RECIPES].sort());
  });

  it.each<[string, string, string]>([
    ['magic', task, 'recipe "magic" is unknown; known are default, tu2022-xnli'],
    ['toString', task, 'recipe "toString" is unknown'],
    ['tu2022-qa', task, '"tu2022-qa" is for question-answering, the task is text-classification'],
    ['tu2022-xnli', 'token-classification', 'recipes for it are default, tu2022-udpos, park2023'],
  ])('refuses the recipe %s for %s, naming those that there are', (recipe, task, message) => {
    const input = { task, recipe } as TuningInput;
    expect(() => resolveSettings(input, backbone)).toThrow(message);
    expect(() => resolveSettings(input, backbone)).toThrow(
      expect.objectContaining({ code: 'bad_setting', setting: 'recipe' }),
    );
  });

  it.each<[Partial<TuningInput>, string]>([
    [{ learningRate: -1 }, 'learningRate'],
    [{ length: 510 }, 'length'],
    [{ maxTokens: 500 }, 'maxTokens'],
    [{ method: 'head', reparameterise: 8 }, 'reparameterise'],
    [{ pooling: 'pooler' }, 'pooling'],
    [{ verbalizer: { a: 'rain' } }, 'verbalizer'],
    [{ offsetUnit: 'utf16' }, 'offsetUnit'],
    [{ task: 'question-answering', invalidTags: 'refuse' }, 'invalidTags'],
  ])('says of %j which setting is at fault', (more, setting) => {
    const bare = { ...backbone, hasPooler: false };
    expect(() => resolveSettings({ task, ...more }, bare)).toThrow(
      expect.objectContaining({ code: 'bad_setting', setting }),
    );
  });

  it('has the scripts of Tu et al. for prompts and for fine-tuning', () => {
    const of = (recipe: string, more: Partial<TuningInput> = {}) =>
      resolveSettings({ task, recipe, ...more }, backbone);
    const tags = 'token-classification' as const;
    const answers = 'question-answering' as const;
    expect(of('tu2022-pawsx')).toMatchObject({ learningRate: 5e-3, length: 16, batchSize: 32 });
    expect(of('tu2022-udpos', { task: tags })).toMatchObject({
      ...{ learningRate: 1e-2, length: 16, batchSize: 16, epochs: 30, dropout: 0.1 },
      ...{ schedule: 'exponential', decay: 0.95, select: 'loss', pooling: 'mean' },
    });
    expect(of('tu2022-qa', { task: answers })).toMatchObject({
      ...{ learningRate: 5e-3, length: 16, batchSize: 8, epochs: 30, dropout: 0.2 },
      ...{ headDropout: 0, maxTokens: 384, select: 'metric', schedule: 'exponential' },
    });
    expect(of('park2023-ner', { task: tags }).length).toBe(14);
    for (const task of TASK_NAMES) {
      for (const recipe of recipesFor(task).slice(1)) {
        expect(of(recipe, { task, method: 'full' }).learningRate).toBeLessThanOrEqual(3e-5);
        expect(of(recipe, { task })).toMatchObject({
          ...{ warmup: 0, weightDecay: 0, clip: 1, patience: 0 },
        });
      }
    }
  });

  it('fits the rows to the positions that the prompt leaves', () => {
    const small = { ...backbone, usableTokens: (length: number) => 40 - length };
    expect(resolveSettings({ task }, small).maxTokens).toBe(24);
    expect(resolveSettings({ task, method: 'full' }, small).maxTokens).toBe(40);
    expect(() => resolveSettings({ task, maxTokens: 30 }, small)).toThrow(
      "maxTokens 30 with a prompt of 16 exceeds the backbone's positions: at most 24 tokens fit",
    );
    expect(() => resolveSettings({ task, length: 39 }, small)).toThrow(
      "length 39 leaves room for 1 tokens of text in the backbone's positions, at least 3 are " +
        'needed; use a prompt of at most 37',
    );
  });

  it('names a bad setting, its value and its range', () => {
    expect(() => resolveSettings({ task, learningRate: -1 }, backbone)).toThrow(
      'learningRate is -1',
    );
    expect(() => resolveSettings({ task, epochs: 0.5 }, backbone)).toThrow('epochs');
    const misspelt = { task, learning_rate: 1 } as unknown as { task: typeof task };
    expect(() => resolveSettings(misspelt, backbone)).toThrow('learning_rate');
  });
});

describe('resolveJobSettings', () => {
  const of = (candidates: string, more: Partial<TuningInput> = {}) =>
    resolveJobSettings(
      { settings: { task, ...more }, candidates: parseCandidates(candidates) },
      backbone,
    );

  it('gives every candidate its settings, with rows that fit beside the longest prompt', () => {
    const all = of('lr=1e-3,5e-3;length=8,300', { seed: 4 });
    expect(all.map(({ learningRate, length }) => [learningRate, length])).toEqual([
      [1e-3, 8],
      [1e-3, 300],
      [5e-3, 8],
      [5e-3, 300],
    ]);
    for (const settings of all) expect(settings).toMatchObject({ seed: 4, maxTokens: 212 });
  });

  it('names the candidate that is at fault, and what is at fault in all of them', () => {
    expect(() => of('lr=1e-3,20;seed=1')).toThrow(
      expect.objectContaining({
        setting: 'candidates',
        message: expect.stringMatching(/^candidate lr=20 seed=1: learningRate is 20: /),
      }),
    );
    expect(() => of('seed=1,2', { method: 'full' })).toThrow(
      expect.objectContaining({ setting: 'candidates' }),
    );
    expect(() => of('seed=1,2', { recipe: 'magic' })).toThrow(
      expect.objectContaining({ setting: 'recipe' }),
    );
  });
});
