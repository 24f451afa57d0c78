/// <reference path="../.sst/platform/config.d.ts" />
import type { Api } from './api.ts';
import { dashboard } from './dashboard.ts';
import type { FailedJobs } from './failed-jobs.ts';
import type { Metric } from './metrics.ts';
import { apiMetrics, jobMetrics } from './metrics.ts';
import type { Jobs } from './queues.ts';
import type { StageSettings } from './settings.ts';
import type { Sweep } from './sweep.ts';
import type { Tuner } from './tuner.ts';

interface Input {
  readonly settings: StageSettings;
  readonly jobs: Jobs;
  readonly api: Api;
  readonly gpu: Tuner;
  readonly failed: FailedJobs;
  readonly sweeping: Sweep;
}

/** What a person has to hear of, by e-mail, and what they then look at. */
export function alarms({ settings, jobs, api, gpu, failed, sweeping }: Input) {
  const { email, monthlyBudgetUsd, slowMs } = settings.alarms;
  const topic = new sst.aws.SnsTopic('Alarms');
  if (email !== undefined) {
    new aws.sns.TopicSubscription('AlarmsByEmail', {
      topic: topic.arn,
      protocol: 'email',
      endpoint: email,
    });
  }
  const of = jobMetrics({ jobs, gpu, failed, sweeping });
  const ofApi = apiMetrics(api);
  const watch = (name: string, about: string, metric: Metric, above: Above) => {
    const { statistic, ...rest } = metric;
    new aws.cloudwatch.MetricAlarm(name, {
      ...rest,
      ...(statistic.startsWith('p') ? { extendedStatistic: statistic } : { statistic }),
      alarmDescription: about,
      comparisonOperator: 'GreaterThanThreshold',
      threshold: above.threshold,
      period: above.minutes * 60,
      evaluationPeriods: above.times ?? 1,
      // No requests and no jobs are no reason to be woken.
      treatMissingData: 'notBreaching',
      alarmActions: [topic.arn],
      okActions: [topic.arn],
    });
  };

  watch(
    'DeadJobsWaiting',
    'Jobs failed, or could not be started; docs/deploy.md says what to do.',
    of.dead,
    {
      threshold: 0,
      minutes: 1,
    },
  );
  watch('JobsNotTaken', 'Jobs wait for the pipe, which should take them at once.', of.oldest, {
    threshold: 900,
    minutes: 5,
  });
  watch('PipeFailed', 'The pipe could not submit jobs to Batch.', of.pipeFailed, {
    threshold: 0,
    minutes: 5,
  });
  watch('FailedJobErrors', 'Jobs that failed could not be marked as failed.', of.notMarked, {
    // The first attempt at a job whose worker has just died waits for its lease.
    threshold: 2,
    minutes: 15,
  });
  watch('SweepErrors', 'For three hours nothing that has expired was removed.', of.notSwept, {
    threshold: 0,
    minutes: 60,
    times: 3,
  });
  watch('ApiErrors', 'The API answers with 5xx.', ofApi.errors, { threshold: 5, minutes: 5 });
  watch('ApiSlow', 'One request in twenty is slow.', ofApi.slow(slowMs).metric, {
    threshold: ofApi.slow(slowMs).threshold,
    minutes: 5,
    times: 3,
  });
  watch('ApiFull', ofApi.full.about, ofApi.full.metric, { threshold: 0, minutes: 5 });

  if (monthlyBudgetUsd !== undefined && email !== undefined) {
    const tell = (notificationType: string, threshold: number) => ({
      comparisonOperator: 'GREATER_THAN',
      notificationType,
      threshold,
      thresholdType: 'PERCENTAGE',
      subscriberEmailAddresses: [email],
    });
    new aws.budgets.Budget('MonthlyBudget', {
      budgetType: 'COST',
      limitAmount: String(monthlyBudgetUsd),
      limitUnit: 'USD',
      timeUnit: 'MONTHLY',
      notifications: [tell('ACTUAL', 80), tell('FORECASTED', 100)],
    });
  }
  dashboard({ region: settings.region, jobs: of, api: ofApi });
  return { topic };
}

interface Above {
  readonly threshold: number;
  readonly minutes: number;
  /** Periods in a row. @default 1 */
  readonly times?: number;
}
