/// <reference path="../.sst/platform/config.d.ts" />
import type { ApiMetrics, JobMetrics, Metric } from './metrics.ts';

interface Input {
  readonly region: string;
  readonly jobs: JobMetrics;
  readonly api: ApiMetrics;
}

/** One page: is the API well, do jobs flow. */
export function dashboard({ region, jobs, api }: Input) {
  const charts: readonly [title: string, metrics: readonly Metric[]][] = [
    ['Requests and errors', [api.requests, api.errors]],
    ['Latency: median, 95th percentile', [api.median, api.slow(0).metric]],
    ['Load, and requests without a place', [api.load, api.full.metric]],
    ['Jobs that wait, jobs that failed', [jobs.waiting, jobs.dead]],
    ['Oldest job that waits, in seconds', [jobs.oldest]],
    ['Failures: pipe, marking, sweep', [jobs.pipeFailed, jobs.notMarked, jobs.notSwept]],
  ];
  new aws.cloudwatch.Dashboard('Dashboard', {
    dashboardName: `${$app.name}-${$app.stage}`,
    dashboardBody: $jsonStringify({
      widgets: charts.map(([title, metrics], i) => ({
        type: 'metric',
        width: 8,
        height: 6,
        x: (i % 3) * 8,
        y: Math.floor(i / 3) * 6,
        properties: { title, region, period: 60, metrics: metrics.map(seriesOf) },
      })),
    }),
  });
}

/** As CloudWatch writes a series: namespace, metric, dimensions in turn, options. */
function seriesOf({ namespace, metricName, dimensions, statistic }: Metric) {
  return [namespace, metricName, ...Object.entries(dimensions).flat(), { stat: statistic }];
}
