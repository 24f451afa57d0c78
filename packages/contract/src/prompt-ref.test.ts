import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ApiError } from './errors.ts';
import { AliasName, isAlias, isName, Name } from './names.ts';
import { formatPromptId, formatPromptRef, parsePromptRef } from './prompt-ref.ts';

const names = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,63}$/);
const versions = fc.integer({ min: 1, max: 999_999_999 });
const targets = fc.oneof(
  names.filter(isAlias).map((alias) => ({ alias })),
  versions.map((version) => ({ version })),
);

function refusal(text: string): ApiError {
  try {
    parsePromptRef(text);
  } catch (error) {
    if (error instanceof ApiError) return error;
  }
  throw new Error(`"${text}" was not refused`);
}

describe('parsePromptRef', () => {
  it.each([
    ['topics', { name: 'topics', target: { alias: 'production' } }],
    ['topics@staging', { name: 'topics', target: { alias: 'staging' } }],
    ['topics@7', { name: 'topics', target: { version: 7 } }],
    ['topics@v7', { name: 'topics', target: { alias: 'v7' } }],
    ['7', { name: '7', target: { alias: 'production' } }],
    ['acme/topics@7', { tenant: 'acme', name: 'topics', target: { version: 7 } }],
    [
      'ft:xlm-r:acme:topics:12',
      { backbone: 'xlm-r', tenant: 'acme', name: 'topics', target: { version: 12 } },
    ],
  ])('reads %s', (text, ref) => {
    expect(parsePromptRef(text)).toEqual(ref);
  });

  it('reads back what formatPromptRef and formatPromptId write', () => {
    fc.assert(
      fc.property(names, targets, fc.option(names, { nil: undefined }), (name, target, tenant) => {
        const ref = { name, target, ...(tenant !== undefined && { tenant }) };
        expect(parsePromptRef(formatPromptRef(ref))).toEqual(ref);
      }),
    );
    fc.assert(
      fc.property(names, names, names, versions, (backbone, tenant, name, version) => {
        const id = formatPromptId({ backbone, tenant, name, version });
        const ref = parsePromptRef(id);
        expect(ref).toEqual({ backbone, tenant, name, target: { version } });
        expect(formatPromptRef(ref)).toBe(id);
      }),
    );
  });

  it('answers any text with a reference of valid names or an ApiError', () => {
    const parts = fc.constantFrom(
      'ft',
      ':',
      '@',
      '/',
      '.',
      '..',
      'a',
      'A',
      '7',
      '0',
      '%2F',
      ' ',
      '\0',
    );
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(parts).map((p) => p.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          const { name, tenant = 'x', backbone = 'x', target } = parsePromptRef(text);
          expect([name, tenant, backbone].every(isName)).toBe(true);
          expect('version' in target ? target.version > 0 : isAlias(target.alias)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(ApiError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    '',
    'Topics',
    '.topics',
    '../topics',
    'topics@',
    'topics@0',
    'topics@007',
    'topics@9999999999',
    'topics@Prod',
    'topics@a@b',
    'acme/b/topics',
    '/topics',
    'ft:xlm-r:acme:topics',
    'ft:xlm-r:acme:topics:latest',
    'ft:xlm-r::topics:1',
    'a'.repeat(65),
    'a'.repeat(301),
    'tópics',
  ])('refuses "%s"', (text) => {
    expect(refusal(text)).toMatchObject({ code: 'invalid_reference', status: 422, param: 'model' });
  });

  it('states the rule that a name breaks, and the name', () => {
    expect(refusal('Topics@7').message).toBe(
      '"Topics" in "Topics@7" is no prompt name; it must have 1 to 64 characters: lower-case letters, digits, "-", "_" and ".", beginning with a letter or digit',
    );
    expect(refusal('a'.repeat(301)).message).toMatch(
      /301 characters is too long; the limit is 300/,
    );
  });
});

describe('Name and AliasName', () => {
  it('agree with isName and isAlias', () => {
    fc.assert(
      fc.property(fc.oneof(names, fc.string({ maxLength: 70 })), (text) => {
        expect(Name.safeParse(text).success).toBe(isName(text));
        expect(AliasName.safeParse(text).success).toBe(isAlias(text));
      }),
    );
  });
});
