/** The report's pictures as SVG, drawn by ECharts without a browser. */
import { BarChart, ScatterChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { Point } from './analysis.ts';
import type { TaskResult } from './results.ts';

use([BarChart, ScatterChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

/** Colour-blind safe (Okabe and Ito 2008). */
const COLORS = ['#0072B2', '#E69F00', '#009E73', '#CC79A7', '#D55E00', '#56B4E9', '#999999'];

function draw(option: EChartsCoreOption, width: number, height: number): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({ animation: false, color: COLORS, ...option });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

/** Scores by language, fine-tuning beside prompt tuning. */
export function scoreChart({ languages, metric }: TaskResult): string {
  const series = (['FT', 'PT'] as const).map((name) => ({
    name,
    type: 'bar',
    data: languages.map((row) => Number(row[name].mean.toFixed(2))),
  }));
  return draw(
    {
      legend: { top: 0 },
      grid: { left: 48, right: 16, top: 32, bottom: 32 },
      xAxis: { type: 'category', data: languages.map(({ name }) => name) },
      yAxis: { type: 'value', name: `${metric} %` },
      series,
    },
    Math.max(420, 60 + 46 * languages.length),
    280,
  );
}

/** States in the plane of their first two principal components: one mark per language, one colour per label. */
export function projectionChart(title: string, points: readonly Point[]): string {
  const labels = [...new Set(points.map(({ label }) => label))].sort();
  const english = (point: Point) => point.language === 'en';
  const series = labels.map((label, i) => ({
    name: label,
    type: 'scatter',
    itemStyle: { color: COLORS[i % COLORS.length] },
    data: points
      .filter((point) => point.label === label)
      .map((point) => ({
        value: [point.x, point.y],
        symbol: english(point) ? 'diamond' : 'circle',
        symbolSize: english(point) ? 8 : 4,
      })),
  }));
  return draw(
    {
      title: { text: title, textStyle: { fontSize: 13 } },
      legend: { bottom: 0, type: 'plain', itemWidth: 10 },
      grid: { left: 36, right: 12, top: 30, bottom: 60 },
      xAxis: { type: 'value', scale: true, splitLine: { show: false } },
      yAxis: { type: 'value', scale: true, splitLine: { show: false } },
      series,
    },
    400,
    340,
  );
}

/** PT - FT of each language against a measure of its tokenization. */
export function relationChart(
  name: string,
  points: readonly { readonly language: string; readonly x: number; readonly y: number }[],
): string {
  return draw(
    {
      grid: { left: 56, right: 40, top: 24, bottom: 44 },
      xAxis: { type: 'value', name, nameLocation: 'middle', nameGap: 28, scale: true },
      yAxis: { type: 'value', name: 'PT - FT', scale: true },
      series: [
        {
          type: 'scatter',
          symbolSize: 7,
          data: points.map(({ language, x, y }) => ({ name: language, value: [x, y] })),
          label: { show: true, formatter: '{b}', position: 'right', fontSize: 10 },
        },
      ],
    },
    420,
    300,
  );
}
