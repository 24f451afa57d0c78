import { describe, expect, it } from 'vitest';
import { taskOf } from './registry.ts';
import { textClassification } from './text-classification/index.ts';

describe('taskOf', () => {
  it('finds a task by name', () => {
    expect(taskOf('text-classification')).toBe(textClassification);
  });

  it('names the tasks that there are', () => {
    expect(() => taskOf('summarization' as 'text-classification')).toThrow(
      expect.objectContaining({
        code: 'unknown_task',
        message: expect.stringContaining('text-classification'),
      }),
    );
  });
});
