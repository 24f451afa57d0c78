/**
 * npm run -s bench:results -- FILE...: the tables of `results.json` files that `polyprompt reproduce` wrote, as
 * Markdown (docs/results.md).
 */
import { readFileSync } from 'node:fs';
import type { Report } from '@polyprompt/reproduce';

type Row = Report['results'][number]['mean'];
type Spread = Row['FT'];

const value = ({ mean, deviation }: Spread) =>
  deviation === null ? mean.toFixed(1) : `${mean.toFixed(1)} ± ${deviation.toFixed(1)}`;
const signed = (spread: Spread) => `${spread.mean >= 0 ? '+' : ''}${value(spread)}`;

for (const file of process.argv.slice(2)) {
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  for (const { title, metric, languages, mean, others, gap, records } of report.results) {
    const { train, dev } = records[0]!.examples;
    const seeds = mean.FT.values.length;
    console.log(`### ${title}\n`);
    console.log(
      `${metric} in percent; ${train} training and ${dev} dev examples, ${seeds} seed${seeds > 1 ? 's' : ''}.\n`,
    );
    console.log('| | FT | PT | PT - FT |\n|---|---:|---:|---:|');
    const line = (row: Row, name = row.name) =>
      console.log(`| ${name} | ${value(row.FT)} | ${value(row.PT)} | ${signed(row.difference)} |`);
    for (const row of languages) line(row);
    line(mean, '**mean**');
    if (others) line(others, '**mean without English**');
    if (gap) line(gap, 'gap: English - mean of others');
    console.log('');
  }
  console.log('Verdict:\n');
  for (const { claim, finding, evidence } of report.verdicts) {
    console.log(`- ${finding}: ${claim} (${evidence})`);
  }
  console.log('\nDepartures from the paper:\n');
  for (const departure of report.departures) console.log(`- ${departure}`);
  console.log('');
}
