/// <reference path="../.sst/platform/config.d.ts" />
import { functionOptions } from './function.ts';
import { failedJobsMay } from './permissions.ts';
import type { Jobs } from './queues.ts';
import type { StageSettings } from './settings.ts';
import type { State } from './storage.ts';
import type { Tuner } from './tuner.ts';

interface Input {
  readonly settings: StageSettings;
  readonly state: State;
  readonly jobs: Jobs;
  readonly gpu: Tuner;
}

/**
 * What becomes of jobs that Batch gives up: the pipe has long removed their messages, so the queue knows
 * nothing of it. A function tells their owners, the dead letter queue the operator.
 */
export function failedJobs({ settings, state, jobs, gpu }: Input) {
  const rule = new aws.cloudwatch.EventRule('JobFailed', {
    eventPattern: $jsonStringify({
      source: ['aws.batch'],
      'detail-type': ['Batch Job State Change'],
      detail: { status: ['FAILED'], jobQueue: [gpu.queue.arn] },
    }),
  });

  new aws.cloudwatch.EventTarget('JobFailedToDead', { rule: rule.name, arn: jobs.dead.arn });
  new aws.sqs.QueuePolicy('DeadJobsPolicy', {
    queueUrl: jobs.dead.url,
    policy: aws.iam.getPolicyDocumentOutput({
      statements: [
        {
          actions: ['sqs:SendMessage'],
          resources: [jobs.dead.arn],
          principals: [{ type: 'Service', identifiers: ['events.amazonaws.com'] }],
          conditions: [{ test: 'ArnEquals', variable: 'aws:SourceArn', values: [rule.arn] }],
        },
      ],
    }).json,
  });

  const logs = new aws.cloudwatch.LogGroup('FailedJobLogs', { retentionInDays: settings.logDays });
  const fn = new sst.aws.Function('FailedJob', {
    handler: 'functions/tuner/src/failed-job.handler',
    runtime: 'nodejs24.x',
    architecture: 'arm64',
    memory: '512 MB',
    timeout: '1 minute',
    // A dead worker's lease has to run out first; Lambda tries again after one and two minutes.
    retries: 2,
    environment: {
      POLYPROMPT_BUCKET: state.bucket.name,
      POLYPROMPT_QUEUE: jobs.main.url,
    },
    ...functionOptions(logs, failedJobsMay({ state, jobs })),
  });
  new aws.cloudwatch.EventTarget('JobFailedToOwner', { rule: rule.name, arn: fn.arn });
  new aws.lambda.Permission('FailedJobInvoke', {
    action: 'lambda:InvokeFunction',
    function: fn.name,
    principal: 'events.amazonaws.com',
    sourceArn: rule.arn,
  });
  return { functionName: fn.name };
}

export type FailedJobs = ReturnType<typeof failedJobs>;
