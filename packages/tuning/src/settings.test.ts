import { describe, expect, it } from 'vitest';
import { RECIPES } from './recipes.ts';
import { resolveSettings, type TuningInput } from './settings.ts';

const backbone = { family: 'roberta' as const, usableTokens: (length: number) => 512 - length };
const task = 'text-classification' as const;

describe('resolveSettings', () => {
  it('needs nothing but a task', () => {
    const settings = resolveSettings({ task }, backbone);
    expect(settings).toMatchObject({ task, recipe: 'default', method: 'prefix', length: 16 });
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
    for (const recipe of RECIPES) {
      for (const method of ['prefix', 'soft', 'full', 'head'] as const) {
        for (const family of ['roberta', 'bert', 'xglm'] as const) {
          const settings = resolveSettings({ task, recipe, method }, { ...backbone, family });
          expect(settings.pooling === 'last').toBe(family === 'xglm');
        }
      }
    }
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
    for (const recipe of RECIPES.filter((name) => name !== 'default')) {
      expect(of(recipe, { method: 'full' }).learningRate).toBeLessThanOrEqual(3e-5);
      expect(of(recipe)).toMatchObject({ warmup: 0, weightDecay: 0, clip: 1, patience: 0 });
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
      "length 39 leaves room for 1 tokens of text in the backbone's positions, at least 3",
    );
  });

  it('names a bad setting, its value and its range', () => {
    expect(() => resolveSettings({ task, learningRate: -1 }, backbone)).toThrow(
      'learningRate is -1',
    );
    expect(() => resolveSettings({ task, epochs: 0.5 }, backbone)).toThrow('epochs');
    expect(() => resolveSettings({ task, recipe: 'magic' }, backbone)).toThrow(
      'recipe "magic" is unknown; known are default, tu2022-xnli',
    );
    const misspelt = { task, learning_rate: 1 } as unknown as { task: typeof task };
    expect(() => resolveSettings(misspelt, backbone)).toThrow('learning_rate');
  });
});
