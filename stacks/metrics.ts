/// <reference path="../.sst/platform/config.d.ts" />
/** Which of AWS's metrics say what, for alarms and dashboard alike. */
import type { Api } from './api.ts';
import type { FailedJobs } from './failed-jobs.ts';
import type { Jobs } from './queues.ts';
import type { Sweep } from './sweep.ts';
import type { Tuner } from './tuner.ts';

export interface Metric {
  readonly namespace: string;
  readonly metricName: string;
  readonly dimensions: Readonly<Record<string, $util.Input<string>>>;
  readonly statistic: 'Sum' | 'Maximum' | 'Average' | 'p50' | 'p95';
}

export function jobMetrics({
  jobs,
  gpu,
  failed,
  sweeping,
}: {
  readonly jobs: Jobs;
  readonly gpu: Tuner;
  readonly failed: FailedJobs;
  readonly sweeping: Sweep;
}) {
  const sqs = (queue: Jobs['main'], metricName: string): Metric => ({
    namespace: 'AWS/SQS',
    metricName,
    dimensions: { QueueName: queue.nodes.queue.name },
    statistic: 'Maximum',
  });
  return {
    waiting: sqs(jobs.main, 'ApproximateNumberOfMessagesVisible'),
    oldest: sqs(jobs.main, 'ApproximateAgeOfOldestMessage'),
    dead: sqs(jobs.dead, 'ApproximateNumberOfMessagesVisible'),
    pipeFailed: {
      namespace: 'AWS/EventBridge/Pipes',
      metricName: 'ExecutionFailed',
      dimensions: { PipeName: gpu.pipe.name },
      statistic: 'Sum',
    },
    notMarked: lambda(failed.functionName, 'Errors', 'Sum'),
    notSwept: lambda(sweeping.functionName, 'Errors', 'Sum'),
  } satisfies Record<string, Metric>;
}

export type JobMetrics = ReturnType<typeof jobMetrics>;

export interface ApiMetrics {
  readonly requests: Metric;
  readonly errors: Metric;
  readonly median: Metric;
  /** With the threshold in the metric's own unit. */
  slow(ms: number): { readonly metric: Metric; readonly threshold: number };
  /** Above zero when requests find no place. */
  readonly full: { readonly about: string; readonly metric: Metric };
  /** Instances of a function, per cent of the processors of a service. */
  readonly load: Metric;
}

export function apiMetrics({ watched }: Api): ApiMetrics {
  switch (watched.host) {
    case 'lambda': {
      const of = (metricName: string, statistic: Metric['statistic']) =>
        lambda(watched.functionName, metricName, statistic);
      return {
        requests: of('UrlRequestCount', 'Sum'),
        errors: of('Url5xxCount', 'Sum'),
        median: of('Duration', 'p50'),
        slow: (ms) => ({ metric: of('Duration', 'p95'), threshold: ms }),
        full: {
          about: 'Requests are refused because all instances that the function may have are busy.',
          metric: of('Throttles', 'Sum'),
        },
        load: of('ConcurrentExecutions', 'Maximum'),
      };
    }
    case 'service': {
      const of = (metricName: string, statistic: Metric['statistic']): Metric => ({
        namespace: 'AWS/ApplicationELB',
        metricName,
        dimensions: { LoadBalancer: watched.loadBalancer },
        statistic,
      });
      return {
        requests: of('RequestCount', 'Sum'),
        errors: of('HTTPCode_Target_5XX_Count', 'Sum'),
        median: of('TargetResponseTime', 'p50'),
        slow: (ms) => ({ metric: of('TargetResponseTime', 'p95'), threshold: ms / 1000 }),
        full: {
          about: 'Requests are refused because no container is ready.',
          metric: of('HTTPCode_ELB_5XX_Count', 'Sum'),
        },
        load: {
          namespace: 'AWS/ECS',
          metricName: 'CPUUtilization',
          dimensions: { ClusterName: watched.cluster, ServiceName: watched.service },
          statistic: 'Average',
        },
      };
    }
    default:
      return watched satisfies never;
  }
}

function lambda(
  FunctionName: $util.Input<string>,
  metricName: string,
  statistic: Metric['statistic'],
): Metric {
  return { namespace: 'AWS/Lambda', metricName, dimensions: { FunctionName }, statistic };
}
