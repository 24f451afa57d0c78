import { describe, expect, it } from 'vitest';
import { ConfigError, helpText, readConfig } from './config.ts';

describe('readConfig', () => {
  it('has a default for all that a first start needs', () => {
    const config = readConfig({});
    expect(config).toMatchObject({ port: 8787, home: '.polyprompt', backbone: 'polyprompt-mini' });
    expect(config.key).toBeUndefined();
    expect(config.endpoint).toBeUndefined();
  });

  it('listens where a host says, unless told otherwise', () => {
    expect(readConfig({ PORT: '8080' }).port).toBe(8080);
    expect(readConfig({ PORT: '8080', POLYPROMPT_PORT: '9000' }).port).toBe(9000);
    expect(() => readConfig({ PORT: 'tcp://10.0.0.1:80' })).toThrow('PORT is "tcp://10.0.0.1:80"');
  });

  it('reads numbers, and takes empty variables for absent ones', () => {
    expect(readConfig({ POLYPROMPT_PORT: '0', POLYPROMPT_DEADLINE_MS: '' })).toMatchObject({
      port: 0,
      deadlineMs: 10_000,
    });
  });

  it.each([
    ['POLYPROMPT_PORT', '70000', 'from 0 to 65535'],
    ['POLYPROMPT_PORT', '80a', 'from 0 to 65535'],
    ['POLYPROMPT_PORT', '1.5', 'from 0 to 65535'],
    ['POLYPROMPT_ENDPOINT', 'ftp://x', 'an http or https URL'],
    ['POLYPROMPT_BUCKET', 'A B', 'a bucket name'],
    ['POLYPROMPT_TUNER', 'maybe', 'on, off'],
    ['POLYPROMPT_PRECISION', 'int4', 'one of float32, float16, int8'],
    ['POLYPROMPT_UPLOAD_BYTES', '-1', 'from 1024 to'],
  ])('refuses %s=%s with its name, value and range', (name, value, range) => {
    const read = () => readConfig({ [name]: value });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(`${name} is "${value}"`);
    expect(read).toThrow(range);
  });

  it('names all bad settings at once, and never shows a key', () => {
    const read = () => readConfig({ POLYPROMPT_PORT: 'x', POLYPROMPT_KEY: 'my key' });
    expect(read).toThrow(/POLYPROMPT_PORT.*\n.*POLYPROMPT_KEY is \(6 characters\)/);
    expect(read).not.toThrow(/my key/);
  });
});

describe('helpText', () => {
  it('names every setting with default and range, in lines that fit a terminal', () => {
    const help = helpText();
    expect(help).toContain('POLYPROMPT_PORT (default 8787)');
    expect(help.replaceAll(/\s+/g, ' ')).toContain('a whole number from 0 to 65535');
    expect(help).toContain('POLYPROMPT_KEY\n');
    expect(Math.max(...help.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(100);
  });
});
