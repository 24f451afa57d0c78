import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { excerptOf, ISSUE_CODES, makeIssue } from './issue.ts';
import { showIssue } from './show-issue.ts';

describe('issues', () => {
  it('are all in the README, under their severity', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const [errors, warnings] = readme.split('| warning |') as [string, string];
    for (const code of ISSUE_CODES) {
      const { severity } = makeIssue(code, { line: 1, message: '' } as never);
      const row = new RegExp(`^\\|.*\`${code}\`.*\\|`, 'm');
      expect(severity === 'error' ? errors : warnings).toMatch(row);
    }
  });
});

describe('excerptOf', () => {
  it('keeps short texts, on one line', () => {
    expect(excerptOf('a\n\tb  c')).toBe('a b c');
  });

  it('cuts long texts, never through a character', () => {
    const excerpt = excerptOf(`x${'\u{1f600}'.repeat(100_000)}`);
    expect(excerpt).toMatch(/^x\u{1f600}+…$/u);
    expect(excerpt.length).toBeLessThanOrEqual(81);
    expect(excerptOf(' '.repeat(100_000))).toBe(' …');
  });
});

describe('showIssue', () => {
  it('says where, what, which text and what to do', () => {
    const issue = makeIssue('missing_label', {
      line: 7,
      message: 'the row has no label',
      excerpt: 'hello',
      suggestion: 'add the label',
    });
    expect(showIssue(issue, 'a.csv')).toBe(
      'a.csv, line 7: error: the row has no label (hello); add the label [missing_label]',
    );
  });

  it('leaves out what there is not', () => {
    const issue = makeIssue('empty_file', { line: null, message: 'the file is empty' });
    expect(showIssue(issue)).toBe('error: the file is empty [empty_file]');
  });
});
