import { expect, it } from 'vitest';
import { placeOf } from './prompt-place.ts';

it('tells a prompt as a whole from one of its versions', () => {
  expect(placeOf('topics')).toEqual({ name: 'topics', target: undefined });
  expect(placeOf('topics@3')).toEqual({ name: 'topics', target: { version: 3 } });
  expect(placeOf('topics@staging')).toEqual({ name: 'topics', target: { alias: 'staging' } });
});

it('refuses a tenant, which might not be that of the key', () => {
  const message = /names a tenant, which the key does already; give topics@3$/;
  expect(() => placeOf('ft:tiny:acme:topics:3')).toThrow(message);
  expect(() => placeOf('acme/topics@3')).toThrow(message);
  expect(() => placeOf('Topics')).toThrow(/no prompt name/);
});
