import { BackboneError } from '@polyprompt/backbone';
import { makeIssue } from '@polyprompt/tasks';
import { type FileCheck, TuningError } from '@polyprompt/tuning';
import { describe, expect, it } from 'vitest';
import { TunerError } from './errors.ts';
import { dataFailure, failureOf } from './failures.ts';

function check(role: FileCheck['role'], badLines: readonly number[]): FileCheck {
  return {
    role,
    valid: badLines.length === 0,
    examples: 10,
    labels: {},
    languages: {},
    errors: badLines.length,
    warnings: 0,
    issues: badLines.map((line) =>
      makeIssue('empty_text', { line, message: 'the text is empty', suggestion: 'delete the row' }),
    ),
  };
}

describe('failureOf', () => {
  it('knows the failures that would come again', () => {
    const cases = [
      [new TuningError('bad_setting', 'no'), 'invalid_settings', 'prompt'],
      [new TuningError('diverged', 'no'), 'training_diverged', 'hyperparameters'],
      [new BackboneError('bad_config', 'no'), 'model_unusable', 'model'],
      [new TunerError('unknown_backbone', 'no'), 'model_not_found', 'model'],
      [
        new TunerError('file_gone', 'no', { param: 'validation_file' }),
        'file_not_found',
        'validation_file',
      ],
      // As it arrives from the training thread.
      [
        Object.assign(new Error('no'), { name: 'BackboneError', code: 'bad_weights' }),
        'model_unusable',
        'model',
      ],
    ] as const;
    for (const [error, code, param] of cases) {
      expect(failureOf(error)).toEqual({ code, message: 'no', param });
    }
  });

  it('leaves the others to another attempt', () => {
    const others = [
      new TuningError('worker_died', 'out of memory'),
      new TuningError('interrupted', 'stopped'),
      new BackboneError('device_unavailable', 'no GPU'),
      new Error('disk full'),
      'text',
    ];
    for (const error of others) expect(failureOf(error)).toBeUndefined();
  });
});

describe('dataFailure', () => {
  it('names every problem by file and line', () => {
    const failure = dataFailure([
      { name: 'train.jsonl', param: 'training_file', check: check('train', []) },
      { name: 'dev.jsonl', param: 'validation_file', check: check('dev', [3, 17]) },
    ]);
    expect(failure).toMatchObject({ code: 'invalid_validation_file', param: 'validation_file' });
    expect(failure.message.split('\n')).toEqual([
      '2 problems in dev.jsonl:',
      'dev.jsonl, line 3: error: the text is empty; delete the row [empty_text]',
      'dev.jsonl, line 17: error: the text is empty; delete the row [empty_text]',
    ]);
  });

  it('stays short however many there are, and says how many it leaves out', () => {
    const lines = Array.from({ length: 90 }, (_, i) => i + 1);
    const { message } = dataFailure([
      { name: 'train.jsonl', param: 'training_file', check: check('train', lines) },
    ]);
    expect(message.split('\n')).toHaveLength(22);
    expect(message).toContain('90 problems in train.jsonl:');
    expect(message).toContain('and 70 more; the report of the file lists them');
  });
});
