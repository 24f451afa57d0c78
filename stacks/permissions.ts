/// <reference path="../.sst/platform/config.d.ts" />
/**
 * Who may do what, all of it: nobody gets a wildcard, nobody may delete versions of objects, so whatever
 * goes wrong in the code can be undone. Nothing is given by SST's `link`, which would grant `s3:*` and
 * `sqs:*`.
 */
import type { Jobs } from './queues.ts';
import type { State } from './storage.ts';

export interface Statement {
  readonly actions: string[];
  readonly resources: $util.Input<string>[];
}

interface Resources {
  readonly state: State;
  readonly jobs: Jobs;
}

/** Reads and writes all but the backbones, which are brought in by an operator. */
export function apiMay({ state, jobs }: Resources): Statement[] {
  return [
    objects(state, READ, ['keys/*', 'tenants/*', 'backbones/*']),
    objects(state, WRITE, ['keys/*', 'tenants/*']),
    objects(state, DELETE, ['tenants/*', 'checkpoints/*']),
    mayList(state),
    { actions: ['sqs:SendMessage'], resources: [jobs.main.arn] },
  ];
}

/** Has no business with API keys. */
export function tunerMay({ state, jobs }: Resources): Statement[] {
  return [
    objects(state, READ, ['tenants/*', 'backbones/*', 'checkpoints/*']),
    objects(state, WRITE, ['tenants/*', 'checkpoints/*']),
    objects(state, DELETE, ['tenants/*', 'checkpoints/*']),
    mayList(state),
    // A job that is given back is announced again.
    { actions: ['sqs:SendMessage'], resources: [jobs.main.arn] },
  ];
}

/** Ends jobs: their documents, what they used (which goes if it has expired meanwhile), their saved states. */
export function failedJobsMay({ state, jobs }: Resources): Statement[] {
  return [
    objects(state, ['s3:GetObject'], ['tenants/*']),
    objects(state, ['s3:PutObject'], ['tenants/*']),
    objects(state, DELETE, ['tenants/*', 'checkpoints/*']),
    mayList(state),
    { actions: ['sqs:SendMessage'], resources: [jobs.main.arn] },
  ];
}

/** Removes what has expired, wherever it is. */
export function sweepMay({ state, jobs }: Resources): Statement[] {
  return [
    objects(state, READ, ['sweep.json', 'tenants/*']),
    objects(state, ['s3:PutObject'], ['sweep.json', 'tenants/*']),
    objects(state, ['s3:AbortMultipartUpload', ...DELETE], ['tenants/*', 'checkpoints/*']),
    {
      actions: ['s3:ListBucket', 's3:ListBucketMultipartUploads'],
      resources: [state.bucket.arn],
    },
    // Jobs whose message was lost are announced again.
    { actions: ['sqs:SendMessage'], resources: [jobs.main.arn] },
  ];
}

/** For log groups, of which AWS's managed policies would give all. */
export function mayLog(group: aws.cloudwatch.LogGroup): Statement {
  return {
    actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    resources: [$interpolate`${group.arn}:*`],
  };
}

export function trust(service: string) {
  return aws.iam.assumeRolePolicyForPrincipal({ Service: `${service}.amazonaws.com` });
}

export function inlinePolicy(name: string, statements: Statement[]) {
  return { name, policy: aws.iam.getPolicyDocumentOutput({ statements }).json };
}

const READ = ['s3:GetObject'];
const WRITE = ['s3:PutObject', 's3:AbortMultipartUpload'];
const DELETE = ['s3:DeleteObject'];

function objects({ bucket }: State, actions: string[], keys: readonly string[]): Statement {
  return { actions, resources: keys.map((key) => $interpolate`${bucket.arn}/${key}`) };
}

/**
 * Without a condition on the prefix, which would make S3 answer 403 instead of 404 for keys that do not
 * exist. So everybody sees the names of keys, which are ids, but not what is in them.
 */
function mayList({ bucket }: State): Statement {
  return { actions: ['s3:ListBucket'], resources: [bucket.arn] };
}
