import { eachRoute, openApiDocument } from '@polyprompt/contract';
import { describe, expect, it } from 'vitest';
import { docsPage } from './docs-page.ts';

const page = docsPage(openApiDocument('1.2.3'));

describe('the page of the API document', () => {
  it('has every operation once, and every link leads somewhere', () => {
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [operation] of eachRoute()) expect(ids).toContain(operation);
    const links = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id!);
    expect(links.length).toBeGreaterThan(50);
    expect(links.filter((link) => !ids.includes(link))).toEqual([]);
  });

  it('leads links to the inside of what is folded, so that browsers open it', () => {
    expect(page).toMatch(
      /<details><summary><code>JobCreate<\/code><\/summary><div id="JobCreate">/,
    );
  });

  it('shows the fields of a body with type, limits and meaning', () => {
    const [, fields = ''] = /<div id="JobCreate">(.*?)<\/details>/s.exec(page) ?? [];
    expect(fields).toMatch(
      /<code>model<\/code><\/td><td><a href="#Name">Name<\/a><\/td><td>required/,
    );
    expect(fields).toContain('integer, 0 to 2147483647 or null');
    const [, report = ''] = /<div id="ValidationReport">(.*?)<\/details>/s.exec(page) ?? [];
    expect(report).toContain('list of <a href="#DataIssue">DataIssue</a>, at most 100 items');
    expect(report).toContain('object of integer, at least 0');
  });

  it('needs nothing from elsewhere', () => {
    expect(page).not.toMatch(/<script|<link|<img|src=|https?:\/\//);
  });

  it('escapes what it quotes', () => {
    expect(page).toContain('ft:&lt;backbone&gt;:&lt;tenant&gt;');
    expect(page).not.toContain('<backbone>');
  });
});
