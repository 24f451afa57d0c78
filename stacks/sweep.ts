/// <reference path="../.sst/platform/config.d.ts" />
import { functionOptions } from './function.ts';
import { sweepMay } from './permissions.ts';
import type { Jobs } from './queues.ts';
import type { StageSettings } from './settings.ts';
import type { State } from './storage.ts';

interface Input {
  readonly settings: StageSettings;
  readonly state: State;
  readonly jobs: Jobs;
}

/**
 * Removes expired files and forgotten uploads every hour, and goes on in the next where its time was over; a
 * function for it leaves the API fewer rights.
 */
export function sweep({ settings, state, jobs }: Input) {
  const logs = new aws.cloudwatch.LogGroup('SweepLogs', { retentionInDays: settings.logDays });
  const fn = new sst.aws.Function('Sweep', {
    handler: 'functions/tuner/src/sweep.handler',
    runtime: 'nodejs24.x',
    architecture: 'arm64',
    memory: '512 MB',
    timeout: '15 minutes',
    // The next hour tries again.
    retries: 0,
    environment: {
      POLYPROMPT_BUCKET: state.bucket.name,
      POLYPROMPT_QUEUE: jobs.main.url,
    },
    ...functionOptions(logs, sweepMay({ state, jobs })),
  });
  const rule = new aws.cloudwatch.EventRule('Hourly', { scheduleExpression: 'rate(1 hour)' });
  new aws.cloudwatch.EventTarget('HourlySweep', { rule: rule.name, arn: fn.arn });
  new aws.lambda.Permission('SweepInvoke', {
    action: 'lambda:InvokeFunction',
    function: fn.name,
    principal: 'events.amazonaws.com',
    sourceArn: rule.arn,
  });
  return { functionName: fn.name };
}

export type Sweep = ReturnType<typeof sweep>;
