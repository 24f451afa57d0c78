/// <reference path="../.sst/platform/config.d.ts" />

const DAY = 24 * 3600;

/**
 * The job queue, and the one for what could not be done: messages that were received too often, and jobs
 * that Batch gave up. Messages hold ids only; the job is a document in the bucket.
 */
export function queues() {
  const dead = new sst.aws.Queue('DeadJobs', {
    // As long as SQS can: a person has to look at them.
    transform: { queue: { messageRetentionSeconds: 14 * DAY, sqsManagedSseEnabled: true } },
  });
  const main = new sst.aws.Queue('Jobs', {
    visibilityTimeout: '2 minutes',
    dlq: { queue: dead.arn, retry: 5 },
    transform: { queue: { messageRetentionSeconds: 4 * DAY, sqsManagedSseEnabled: true } },
  });
  return { main, dead };
}

export type Jobs = ReturnType<typeof queues>;
