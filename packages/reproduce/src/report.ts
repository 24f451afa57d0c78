/** The report: one HTML file that needs nothing else, and the same facts as JSON. */
import type { Analysis } from './analysis.ts';
import { projectionChart, relationChart, scoreChart } from './charts.ts';
import { escapeHtml, listHtml, page, tableHtml } from './html.ts';
import type { Paper } from './papers.ts';
import { GROUPS, type Group, THRESHOLDS } from './resources.ts';
import type { Row, TaskResult } from './results.ts';
import type { Correlation, Spread } from './statistics.ts';
import type { Tokenization } from './tokenization.ts';
import { meanDifference, type Verdict } from './verdict.ts';

export interface Report {
  readonly paper: Paper;
  readonly results: readonly TaskResult[];
  /** By task, then language. */
  readonly tokenization: Readonly<Record<string, Readonly<Record<string, Tokenization>>>>;
  /** By task, then measure: rank correlation with PT - FT. */
  readonly correlations: Readonly<Record<string, Readonly<Record<string, Correlation>>>>;
  readonly groups: ReadonlyMap<string, Group>;
  readonly shares: { readonly withoutHead: number; readonly withHead: number };
  readonly verdicts: readonly Verdict[];
  readonly departures: readonly string[];
  readonly command: string;
}

export function reportHtml(report: Report): string {
  const { paper, shares } = report;
  const body = [
    `<h1>${escapeHtml(paper.title)}</h1>`,
    `<p>${escapeHtml(paper.claim)}</p>`,
    `<p>Command: <code>${escapeHtml(report.command)}</code></p>`,
    '<h2>Verdict</h2>',
    '<p>The rules were fixed before the runs. "Supported" speaks of the direction of a claim under these conditions, not of the paper\'s numbers, none of which could be sourced.</p>',
    tableHtml(
      ['claim', 'finding', 'evidence', 'rule'],
      report.verdicts.map(({ claim, finding, evidence, rule }) => [claim, finding, evidence, rule]),
    ).replace('<table>', '<table class="words">'),
    '<h2>Tuned share</h2>',
    `<p>Prompt alone ${shares.withoutHead.toFixed(3)} %, with its largest head ${shares.withHead.toFixed(3)} % of the backbone's parameters.</p>`,
    ...report.results.map((result) => taskHtml(result, report)),
    '<h2>Departures from the paper</h2>',
    listHtml(report.departures),
    '<h2>Runs</h2>',
    runsHtml(report.results),
  ];
  return page(paper.title, body.join('\n'));
}

function taskHtml(result: TaskResult, report: Report): string {
  const summary = [result.mean, result.others, result.gap].filter((row) => row !== null);
  const scores = [...result.languages, ...summary].map((row: Row) => [
    row.name,
    cell(row.FT),
    cell(row.PT),
    signed(row.difference),
  ]);
  const groups = GROUPS.flatMap((group) => {
    const rows = result.languages.filter(({ name }) => report.groups.get(name) === group);
    if (rows.length === 0) return [];
    return [[group, rows.map(({ name }) => name).join(' '), signed(meanDifference(rows))]];
  });
  const parts = [
    `<h2>${escapeHtml(result.title)}</h2>`,
    `<p>${escapeHtml(result.metric)} in percent, mean ± standard deviation over the seeds.</p>`,
    scoreChart(result),
    tableHtml(['language', 'FT', 'PT', 'PT - FT'], scores),
    '<h3>By resources</h3>',
    `<p>Share of the pretraining tokens: high from ${THRESHOLDS.high} %, middle from ${THRESHOLDS.middle} %, low below, unseen none.</p>`,
    tableHtml(['group', 'languages', 'PT - FT'], groups),
    tokenizationHtml(result, report),
    boundaryHtml(result),
  ];
  return parts.join('\n');
}

function tokenizationHtml(result: TaskResult, report: Report): string {
  const measures = report.tokenization[result.id] ?? {};
  const difference = new Map(result.languages.map((row) => [row.name, row.difference.mean]));
  const rows = Object.entries(measures).map(([language, measure]) => [
    language,
    measure.fertility.toFixed(2),
    measure.charactersPerSubword.toFixed(2),
    (100 * measure.splitWords).toFixed(1),
    (100 * measure.unknown).toFixed(2),
    (difference.get(language) ?? 0).toFixed(2),
  ]);
  const correlations = Object.entries(report.correlations[result.id] ?? {}).map(
    ([measure, { rho, n, p }]) => [
      measure,
      rho === null ? '-' : rho.toFixed(2),
      String(n),
      p === null ? '-' : p.toFixed(3),
    ],
  );
  const points = Object.entries(measures).flatMap(([language, { fertility }]) =>
    language === 'en' ? [] : [{ language, x: fertility, y: difference.get(language) ?? 0 }],
  );
  const head = [
    'language',
    'sub-words per word',
    'characters per sub-word',
    'split words %',
    'unknown %',
    'PT - FT',
  ];
  return [
    '<h3>Tokenization of the test texts</h3>',
    tableHtml(head, rows),
    '<p>Rank correlation with PT - FT over the languages without English (two-sided p by permutation).</p>',
    tableHtml(['measure', 'rho', 'n', 'p'], correlations),
    points.length > 2 ? relationChart('sub-words per word', points) : '',
  ].join('\n');
}

function boundaryHtml({ records }: TaskResult): string {
  const studied = (method: 'FT' | 'PT') =>
    records.find((record) => record.method === method && record.analysis);
  const [ft, pt] = [studied('FT'), studied('PT')];
  if (!ft || !pt) return '';
  const [before, after] = [pt.before!, { FT: ft.analysis!, PT: pt.analysis! }];
  const percent = (value: number | undefined) =>
    value === undefined ? '-' : (100 * value).toFixed(1);
  const columns: readonly [string, Analysis][] = [
    ['untouched', before],
    ['FT', after.FT],
    ['PT', after.PT],
  ];
  const rows = Object.keys(after.PT.alignment).map((language) => [
    language,
    ...columns.flatMap(([, { alignment }]) => {
      const each = alignment[language];
      return [percent(each?.english), percent(each?.refitted), percent(each?.agreement)];
    }),
  ]);
  const head = columns.flatMap(([name]) => [`${name}: English`, 'refitted', 'agree']);
  return [
    '<h3>Decision boundaries</h3>',
    `<p>A linear classifier fitted on English states and read in each language, beside one refitted on half of that language's states, scored on the other half (%; seed ${pt.seed}). The states moved by ${after.FT.moved.toFixed(2)} of their length in fine-tuning, by ${after.PT.moved.toFixed(2)} in prompt tuning. The paper's own procedure could not be sourced.</p>`,
    tableHtml(['language', ...head], rows),
    '<p>First two principal components; diamonds are English.</p>',
    `<div class="charts">${columns.map(([name, { projection }]) => projectionChart(name, projection)).join('')}</div>`,
  ].join('\n');
}

function runsHtml(results: readonly TaskResult[]): string {
  const rows = results.flatMap(({ records }) =>
    records.map((record) => [
      `${record.task} ${record.method} seed ${record.seed}`,
      record.dev.toFixed(2),
      String(record.steps),
      record.seconds.toFixed(0),
      record.device,
      String(record.settings.learningRate),
      String(record.settings.epochs),
      record.data.map(({ hash }) => hash.slice(0, 14)).join(' '),
    ]),
  );
  return tableHtml(['run', 'dev', 'steps', 'seconds', 'device', 'lr', 'epochs', 'data'], rows);
}

const cell = ({ mean, deviation }: Spread) =>
  deviation === null ? mean.toFixed(2) : `${mean.toFixed(2)} ± ${deviation.toFixed(2)}`;

const signed = (value: Spread) => `${value.mean >= 0 ? '+' : ''}${cell(value)}`;
