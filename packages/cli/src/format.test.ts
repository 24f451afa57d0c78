import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bytes, commandLine, duration, percent, plural } from './format.ts';
import { facts, table } from './table.ts';

it('writes numbers as people read them', () => {
  expect([0, 0.04, 9.96, 59.6, 61, 3599.6, 7800].map(duration)).toEqual([
    '0.0 s',
    '0.0 s',
    '10 s',
    '1 m 00 s',
    '1 m 01 s',
    '1 h 00 m',
    '2 h 10 m',
  ]);
  expect([0, 999, 1000, 22_193_152, 5e12].map(bytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '22.2 MB',
    '5000.0 GB',
  ]);
  expect([0, 0.00446, 1].map(percent)).toEqual(['0 %', '0.446 %', '100 %']);
  expect([plural(1, 'step'), plural(1200, 'step')]).toEqual(['1 step', '1,200 steps']);
});

it('quotes command lines so that a shell reads the same arguments', () => {
  // The shell cannot pass a NUL in an argument at all.
  const argument = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
  fc.assert(
    fc.property(fc.array(argument, { maxLength: 4 }), (args) => {
      const line = commandLine(args).replace(/^npx polyprompt/, "printf '%s\\0' end");
      const printed = execFileSync('/bin/sh', ['-c', line], { encoding: 'utf8' });
      expect(printed.split('\0').slice(1, -1)).toEqual(args);
    }),
    { numRuns: 25 },
  );
});

it('aligns tables without trailing space', () => {
  expect(
    table(
      ['name', 'n'],
      [
        ['a', '1'],
        ['bcdef', '1,000'],
      ],
      'lr',
    ),
  ).toBe(['name       n', 'a          1', 'bcdef  1,000'].join('\n'));
  expect(
    facts([
      ['a', '1'],
      ['long', '2'],
    ]),
  ).toBe('a     1\nlong  2');
});
