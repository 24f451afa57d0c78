import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { ApiError } from './errors.ts';
import { FileCreateFields, FileListQuery } from './schemas/files.ts';
import {
  QuestionAnsweringRequest,
  TextClassificationRequest,
  TokenClassificationRequest,
  ZeroShotRequest,
} from './schemas/inference.ts';
import { hyperparametersOf, JobCreate, JobListQuery } from './schemas/jobs.ts';
import { KeyCreate, scopeAllows } from './schemas/keys.ts';
import { AliasTarget, RollbackRequest } from './schemas/prompts.ts';
import { UsageQuery } from './schemas/usage.ts';
import { nestFields, validate, validateJson } from './validate.ts';

function refusal(schema: z.ZodType, value: unknown) {
  try {
    validate(schema, value);
  } catch (error) {
    if (error instanceof ApiError) return `${error.status} ${error.message}`;
  }
  throw new Error('not refused');
}

const job = { model: 'xlm-r', training_file: 'file-1' };
const pairs = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));

describe('validate', () => {
  it.each<[z.ZodType, unknown, string]>([
    [TextClassificationRequest, 5, '400 the body: expected object, received 5'],
    [
      TextClassificationRequest,
      { inputs: 5 },
      '400 inputs: expected string or object or array, received 5',
    ],
    [
      TextClassificationRequest,
      {},
      '400 inputs: expected string or object or array, received nothing',
    ],
    [
      TextClassificationRequest,
      { inputs: ['a', 4] },
      '400 inputs[1]: expected string or object, received 4',
    ],
    [TextClassificationRequest, { inputs: '' }, '422 inputs: must not be empty'],
    [
      TextClassificationRequest,
      { inputs: [] },
      '422 inputs: expected at least 1 item, received an array of 0 items',
    ],
    [
      TextClassificationRequest,
      { inputs: Array(1000).fill('a') },
      '422 inputs: expected at most 128 items, received an array of 1000 items',
    ],
    [
      TextClassificationRequest,
      { inputs: Array(100_001).fill('a') },
      '422 inputs: expected at most 128 items, received an array of 100001 items',
    ],
    [
      TokenClassificationRequest,
      { inputs: Array(3).fill({ tokens: Array(50_000).fill(0) }) },
      '400 inputs[0].tokens[0]: expected string, received 0',
    ],
    [
      TokenClassificationRequest,
      { inputs: { tokens: [...Array(49_999).fill('a'), ''] } },
      '422 inputs.tokens[49999]: must not be empty',
    ],
    [
      TokenClassificationRequest,
      { inputs: 'a', parameters: { ignore_labels: Array(1001).fill('O') } },
      '422 parameters.ignore_labels: expected at most 1000 items, received an array of 1001 items',
    ],
    [
      JobCreate,
      { ...job, prompt: { task: 'text-classification', languages: Array(1001).fill(0) } },
      '422 prompt.languages: expected at most 1000 items, received an array of 1001 items',
    ],
    [
      TextClassificationRequest,
      { inputs: ['a', 'b'.repeat(100_001)] },
      '422 inputs[1]: expected at most 100000 characters, received a string of 100001 characters',
    ],
    [
      TextClassificationRequest,
      { inputs: 'a', parameters: { top_k: 'three' } },
      '400 parameters.top_k: expected number, received string "three"',
    ],
    [
      TextClassificationRequest,
      { inputs: 'a', parameters: { top_k: 0 } },
      '422 parameters.top_k: expected at least 1, received 0',
    ],
    [
      TextClassificationRequest,
      { inputs: 'a', parameters: { function_to_apply: 'relu' } },
      '400 parameters.function_to_apply: expected "softmax" or "sigmoid" or "none", received string "relu"',
    ],
    [
      QuestionAnsweringRequest,
      { inputs: { question: 'who?' } },
      '400 inputs.context: expected string, received nothing',
    ],
    [
      QuestionAnsweringRequest,
      { inputs: { question: 'who?', context: 'she' }, parameters: { top_k: 101 } },
      '422 parameters.top_k: expected at most 100, received 101',
    ],
    [ZeroShotRequest, { inputs: 'a' }, '400 parameters: expected object, received nothing'],
    [
      JobCreate,
      { ...job, prompt: { task: 'text-classification', lenght: 8 } },
      '400 prompt: unknown field "lenght"; check its spelling',
    ],
    [
      JobCreate,
      { ...job, training_file: '../../keys' },
      '422 training_file: must be an id that begins with "file-", received string "../../keys"',
    ],
    [
      JobCreate,
      { ...job, integrations: [{ type: 'wandb' }] },
      '422 integrations: they are not supported; leave it out',
    ],
    [JobCreate, { ...job, metadata: 'x' }, '400 metadata: expected object, received string "x"'],
    [FileListQuery, { limit: 'abc' }, '400 limit: expected number, received string "abc"'],
    [
      FileListQuery,
      { after: 'xyz' },
      '422 after: must be an id that begins with "file-", received string "xyz"',
    ],
    [UsageQuery, { from: '2026-01-01' }, '400 the body: unknown field "from"; check its spelling'],
    [
      JobCreate,
      { ...job, metadata: pairs(17) },
      '422 metadata: expected at most 16 pairs, received an object',
    ],
    [
      JobCreate,
      { ...job, method: { type: 'dpo' } },
      '400 method.type: expected "supervised", received string "dpo"',
    ],
    [
      JobCreate,
      { ...job, hyperparameters: { n_epochs: 51 } },
      '422 hyperparameters.n_epochs: expected at most 50, received 51',
    ],
    [
      JobCreate,
      { ...job, hyperparameters: { n_epochs: 'many' } },
      '400 hyperparameters.n_epochs: expected "auto" or number, received string "many"',
    ],
    [JobListQuery, { limit: '0' }, '422 limit: expected at least 1, received 0'],
    [JobListQuery, { limit: 'x' }, '400 limit: expected number, received string "x"'],
    [
      AliasTarget,
      {
        split: [
          { version: 1, weight: 90 },
          { version: 2, weight: 20 },
        ],
      },
      '422 split: the weights must add up to 100',
    ],
    [
      AliasTarget,
      {
        split: [
          { version: 1, weight: 90 },
          { version: 1, weight: 10 },
        ],
      },
      '422 split: each version may occur once',
    ],
    [
      KeyCreate,
      { name: 'ci', scopes: ['root'] },
      '400 scopes[0]: expected "infer" or "tune" or "admin", received string "root"',
    ],
  ])('%# names field, limit and value', (schema, value, message) => {
    expect(refusal(schema, value)).toContain(message);
  });

  it('refuses a name by stating the rule', () => {
    expect(refusal(JobCreate, { ...job, suffix: 'My Topics' })).toMatch(
      /^422 suffix: must be 1 to 64 characters: lower-case letters, .* received string "My Topics"$/,
    );
  });

  it('refuses text that is not JSON', () => {
    expect(() => validateJson(JobCreate, '{"model":')).toThrow(/^the body is not JSON: /);
    expect(validateJson(JobCreate, JSON.stringify(job))).toEqual(job);
  });

  it('lets fields pass that clients of the Hugging Face family may add', () => {
    const body = { inputs: 'a', options: { wait_for_model: true }, parameters: { other: 1 } };
    expect(validate(TextClassificationRequest, body)).toEqual({ inputs: 'a', parameters: {} });
  });
});

describe('bodies', () => {
  it('of jobs take 16 pairs of tags and both places of hyper-parameters', () => {
    const body = validate(JobCreate, {
      ...job,
      metadata: pairs(16),
      hyperparameters: { n_epochs: 3, batch_size: 'auto' },
      method: { type: 'supervised', supervised: { hyperparameters: { n_epochs: 5 } } },
      prompt: { task: 'text-classification', length: 16, activate: 'production' },
    });
    expect(hyperparametersOf(body)).toEqual({ n_epochs: 5, batch_size: 'auto' });
    expect(hyperparametersOf(validate(JobCreate, job))).toEqual({});
  });

  it('of aliases take a version or a split, not both', () => {
    const split = [
      { version: 3, weight: 90 },
      { version: 4, weight: 10 },
    ];
    expect(validate(AliasTarget, { version: 3 })).toEqual({ version: 3 });
    expect(validate(AliasTarget, { split })).toEqual({ split });
    expect(refusal(AliasTarget, { version: 3, split })).toMatch(/^400 /);
    expect(validate(RollbackRequest, {})).toEqual({ alias: 'production' });
  });
});

describe('nestFields', () => {
  it('reads the brackets of queries and forms as the OpenAI client writes them', () => {
    const query = new URLSearchParams('limit=5&metadata[task]=ner&metadata[team]=a');
    expect(validate(JobListQuery, nestFields(query))).toEqual({
      limit: 5,
      metadata: { task: 'ner', team: 'a' },
    });
    const form = {
      purpose: 'fine-tune',
      'expires_after[anchor]': 'created_at',
      'expires_after[seconds]': '3600',
    };
    expect(validate(FileCreateFields, nestFields(Object.entries(form)))).toEqual({
      purpose: 'fine-tune',
      expires_after: { anchor: 'created_at', seconds: 3600 },
    });
  });

  it('does not reach into prototypes', () => {
    const nested = nestFields([
      ['__proto__[polluted]', 'yes'],
      ['metadata[__proto__]', 'x'],
    ]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(Object.getPrototypeOf(nested)).toBe(Object.prototype);
  });
});

describe('scopeAllows', () => {
  it('lets each scope include the ones before it', () => {
    expect(scopeAllows(['tune'], 'infer')).toBe(true);
    expect(scopeAllows(['admin'], 'tune')).toBe(true);
    expect(scopeAllows(['infer'], 'tune')).toBe(false);
    expect(scopeAllows([], 'infer')).toBe(false);
  });
});
