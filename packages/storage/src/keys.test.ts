import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  apiKeyKey,
  backboneKeys,
  fileKeys,
  folders,
  isSegment,
  jobKeys,
  promptKeys,
} from './keys.ts';

describe('keys', () => {
  it('follow the layout', () => {
    const job = jobKeys('acme', 'job-1');
    const prompt = promptKeys('acme', 'topics');
    expect([
      apiKeyKey('k1'),
      fileKeys('acme', 'file-1').document,
      fileKeys('acme', 'file-1').content,
      job.document,
      job.lease,
      job.event(12),
      job.checkpoints,
      prompt.document,
      prompt.version(3).artifact,
      prompt.version(3).card,
      backboneKeys('mini').file('onnx/model.onnx'),
    ]).toEqual([
      'keys/k1.json',
      'tenants/acme/files/file-1/file.json',
      'tenants/acme/files/file-1/content',
      'tenants/acme/jobs/job-1/job.json',
      'tenants/acme/jobs/job-1/lease.json',
      'tenants/acme/jobs/job-1/events/0000000012',
      'checkpoints/acme/job-1/',
      'tenants/acme/prompts/topics/prompt.json',
      'tenants/acme/prompts/topics/versions/3/prompt.safetensors',
      'tenants/acme/prompts/topics/versions/3/card.json',
      'backbones/mini/onnx/model.onnx',
    ]);
  });

  it.each([
    '',
    '.',
    '..',
    '../x',
    'a/b',
    '/a',
    'a\\b',
    '.hidden',
    '-x',
    'a b',
    'a\n',
    'a%2e',
    'ü',
    'a\u0000',
    'x'.repeat(129),
  ])('refuse the segment %j', (bad) => {
    expect(isSegment(bad)).toBe(false);
    for (const make of [
      () => apiKeyKey(bad),
      () => folders.tenant(bad),
      () => fileKeys('acme', bad),
      () => jobKeys(bad, 'job'),
      () => promptKeys('acme', bad),
      () => backboneKeys(bad),
    ]) {
      expect(make).toThrow(expect.objectContaining({ code: 'bad_key' }));
    }
  });

  it('refuse a backbone file that leaves its folder', () => {
    for (const bad of ['', '/', '/etc/passwd', '../x', 'a/../../x', 'a//b', 'a/', './a']) {
      expect(() => backboneKeys('mini').file(bad)).toThrow(
        expect.objectContaining({ code: 'bad_key' }),
      );
    }
  });

  it('keep every tenant and prompt in its own folder, whatever they are called', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (tenant, name) => {
        fc.pre(isSegment(tenant) && isSegment(name));
        const { document } = promptKeys(tenant, name);
        expect(document.split('/')).toEqual(['tenants', tenant, 'prompts', name, 'prompt.json']);
      }),
    );
  });

  it('order events as numbers', () => {
    const { event } = jobKeys('acme', 'job');
    const numbers = [1, 2, 9, 10, 99, 100, 12345];
    expect(numbers.map(event).toSorted()).toEqual(numbers.map(event));
    for (const bad of [0, -1, 1.5, Number.NaN])
      expect(() => event(bad)).toThrow('not a positive integer');
  });
});
