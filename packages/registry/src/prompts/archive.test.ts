import { describe, expect, it } from 'vitest';
import { samplePrompt } from '../test-registry.ts';
import { fromArchive, toArchive } from './archive.ts';

const packed = samplePrompt();
const [prompt, card] = [packed.prompt, packed.card];

describe('an archive', () => {
  it('is a folder named like the prompt, and is read back', () => {
    const files = toArchive('topics', packed);
    expect(Object.keys(files)).toEqual(['topics/prompt.safetensors', 'topics/card.json']);
    expect(fromArchive(files)).toEqual({ name: 'topics', packed });
  });

  it.each([
    ['deeper', './exports/topics/', 'topics'],
    ['in the current folder', './', undefined],
    ['in none', '', undefined],
  ])('is found %s, among other files', (_, folder, name) => {
    const files = {
      'README.md': prompt,
      [`${folder}._card.json`]: prompt,
      [`${folder}prompt.safetensors`]: prompt,
      [`${folder}card.json`]: card,
    };
    expect(fromArchive(files)).toEqual({ name, packed });
  });

  it.each([
    ['nothing', {}, '0 files prompt.safetensors'],
    ['no card', { 'a/prompt.safetensors': prompt, 'card.json': card }, 'no a/card.json'],
    ['two prompts', { 'a/prompt.safetensors': prompt, 'b/prompt.safetensors': prompt }, '2 files'],
  ])('with %s is refused', (_, files, message) => {
    expect(() => fromArchive(files)).toThrow(message);
  });
});
