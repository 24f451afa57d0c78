/** Both comparisons end to end on tiny backbones: every run, the report, and going on after a stop. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { runJob } from '@polyprompt/tuning';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ReproduceOptions, reproduce } from './reproduce.ts';

const WORDS = ['rain', 'snow', 'wind', 'bread', 'soup', 'rice', 'the', 'is', 'a'];
const folder = mkdtempSync(join(tmpdir(), 'polyprompt-reproduce-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const data = join(folder, 'data');

function pairs(count: number, shift: number): string {
  return Array.from({ length: count }, (_, i) => {
    const same = i % 2 === 0;
    const word = WORDS[(i + shift) % 3]!;
    const other = same ? word : WORDS[3 + ((i + shift) % 3)]!;
    const row = {
      text: `the ${word} is`,
      text_pair: `a ${other} is`,
      label: same ? 'same' : '<b>',
    };
    return JSON.stringify(row);
  }).join('\n');
}

function tagged(count: number, shift: number): string {
  return Array.from({ length: count }, (_, i) => {
    const word = WORDS[(i + shift) % 6]!;
    const tokens = ['the', word, 'is', 'a', WORDS[(i + 2) % 6]!];
    return JSON.stringify({ tokens, tags: tokens.map((t) => (t.length > 3 ? 'NOUN' : 'DET')) });
  }).join('\n');
}

beforeAll(() => {
  for (const [id, make] of [
    ['pawsx', pairs],
    ['udpos', tagged],
  ] as const) {
    mkdirSync(join(data, id), { recursive: true });
    ['en.train', 'en.dev', 'en.test', 'de.test', 'sw.test', 'ko.test'].forEach((name, i) => {
      writeFileSync(join(data, id, `${name}.jsonl`), make(name.endsWith('train') ? 32 : 12, i));
    });
  }
});

function options(paper: ReproduceOptions['paper']): ReproduceOptions {
  const backbone = join(folder, paper);
  const family = paper === 'tu2022' ? 'roberta' : 'xglm';
  writeTinyBackbone(backbone, { family, words: WORDS, hidden: 16, heads: 2, layers: 2 });
  return {
    paper,
    backbone,
    data,
    out: join(folder, `${paper}-out`),
    seeds: 2,
    quick: true,
    recipes: 'paper',
    testExamples: null,
    device: 'cpu',
    threads: 1,
    command: 'polyprompt reproduce',
  };
}

describe.each(['tu2022', 'park2023'] as const)('reproduce %s', { timeout: 240_000 }, (paper) => {
  it('runs both methods on every task that has data, and reports', async () => {
    const asked = options(paper);
    const runs: string[] = [];
    const { report, html, json } = await reproduce(asked, {
      onRun: ({ name, of }) => runs.push(`${name} of ${of}`),
    });
    expect(runs).toHaveLength(8);
    expect(runs[0]).toBe('pawsx/FT-1 of 8');
    const [pawsx, udpos] = report.results;
    expect(pawsx!.languages.map(({ name }) => name)).toEqual(['en', 'de', 'ko', 'sw']);
    expect(pawsx!.languages[0]!.PT.values).toHaveLength(2);
    expect(udpos!.records.every(({ analysis }) => analysis === null)).toBe(true);
    const { FT, PT, difference } = pawsx!.others!;
    expect(difference.mean).toBeCloseTo(PT.mean - FT.mean);
    const tuned = pawsx!.records.map(({ method, parameters }) => [method, parameters] as const);
    for (const [method, { tuned: count, backbone }] of tuned) {
      if (method === 'FT') expect(count).toBe(backbone);
      else expect(count).toBe((paper === 'tu2022' ? 16 : 14) * 2 * 2 * 16);
    }
    const page = readFileSync(html, 'utf8');
    expect(page).toContain('<svg');
    expect(page).toContain('&lt;b&gt;');
    expect(page).not.toContain('<b>');
    expect(page).not.toMatch(/(?:src|href)="http/);
    expect(report.departures.join('\n')).toContain('XNLI: not run, no data given.');
    const stored = JSON.parse(readFileSync(json, 'utf8'));
    expect(stored.results[0].records[0].key).toMatch(/^sha256:/);
    expect(stored.verdicts.length).toBeGreaterThan(3);
    // A copy of the backbone per fine-tuning run would fill the disk.
    expect(readdirSync(join(asked.out, 'runs/pawsx/FT-1'))).not.toContain('backbone');
  });

  it('refuses a task that has no data', async () => {
    const asked = { ...options(paper), tasks: ['xnli'] };
    await expect(reproduce(asked)).rejects.toMatchObject({ code: 'bad_option' });
  });

  it('keeps the runs that are there, and makes those again that would differ', async () => {
    const asked = options(paper);
    const record = join(asked.out, 'runs/pawsx/PT-1/record.json');
    const before = readFileSync(record, 'utf8');
    const trained: string[] = [];
    const onEvent = ({ type }: { type: string }) => trained.push(type);
    await reproduce(asked, { onEvent });
    expect(trained).toEqual([]);
    expect(readFileSync(record, 'utf8')).toBe(before);
    // What a run with other settings left behind when it was interrupted.
    const out = join(asked.out, 'runs/pawsx/FT-1');
    let asks = 0;
    const job = {
      backbone: asked.backbone,
      train: join(data, 'pawsx/en.train.jsonl'),
      out,
      settings: { task: 'text-classification' as const, pooling: 'last' as const },
    };
    const stopped = runJob(job, { shouldStop: () => asks++ > 1 });
    await expect(stopped).rejects.toMatchObject({ code: 'interrupted' });
    expect(readdirSync(out)).toContain('checkpoint.safetensors');
    await reproduce({ ...asked, recipes: 'default', seeds: 1 }, { onEvent });
    expect(trained).toContain('started');
    expect(readdirSync(out)).toEqual(['card.json', 'prompt.safetensors', 'record.json']);
  });
});
