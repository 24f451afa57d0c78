/** Mistakes that somebody might make in stacks/, each of which a check must notice: tests of the tests. */
import { afterAll, describe, expect, it } from 'vitest';
import { Evaluator, type Mutation } from '../../stacks/testing/evaluation.ts';
import { platformMissing } from '../../stacks/testing/platform.ts';
import { CHECKS, FUNCTION_CHECKS, SERVICE_CHECKS } from './checks.ts';

const ALL = { ...CHECKS, ...FUNCTION_CHECKS, ...SERVICE_CHECKS };

interface Mistake extends Mutation {
  readonly caughtBy: keyof typeof ALL;
  /** @default 'somebody' */
  readonly stage?: string;
}

const MISTAKES: Readonly<Record<string, Mistake>> = {
  'no dead letter queue': {
    file: 'queues.ts',
    from: 'dlq: { queue: dead.arn, retry: 5 },',
    to: '',
    caughtBy: 'a message that is received too often becomes a dead letter',
  },
  'dead letters that are not encrypted': {
    file: 'queues.ts',
    from: 'messageRetentionSeconds: 14 * DAY, sqsManagedSseEnabled: true',
    to: 'messageRetentionSeconds: 14 * DAY',
    caughtBy: 'a message that is received too often becomes a dead letter',
  },
  'the dead letters go to another queue': {
    file: 'queues.ts',
    from: 'queue: dead.arn',
    to: "queue: 'arn:aws:sqs:us-east-1:123456789012:other'",
    caughtBy: 'a message that is received too often becomes a dead letter',
  },
  'the API deletes versions': {
    file: 'permissions.ts',
    from: "const DELETE = ['s3:DeleteObject'];",
    to: "const DELETE = ['s3:DeleteObject', 's3:DeleteObjectVersion'];",
    caughtBy: 'no role has a wildcard, a right over versions, or trusts more than one service',
  },
  'the API writes backbones': {
    file: 'permissions.ts',
    from: "objects(state, WRITE, ['keys/*', 'tenants/*']),",
    to: "objects(state, WRITE, ['keys/*', 'tenants/*', 'backbones/*']),",
    caughtBy: 'the API may do what it does and no more',
  },
  'the tuner reads keys': {
    file: 'permissions.ts',
    from: "objects(state, READ, ['tenants/*', 'backbones/*', 'checkpoints/*']),",
    to: "objects(state, READ, ['keys/*', 'tenants/*', 'backbones/*', 'checkpoints/*']),",
    caughtBy: 'the tuner may do what it does and no more, and read no keys',
  },
  'the API is linked to the bucket, which gives it all rights': {
    file: 'api-function.ts',
    from: 'bundle: BUNDLE,',
    to: 'bundle: BUNDLE, link: [state.bucket],',
    caughtBy: 'no role has a wildcard, a right over versions, or trusts more than one service',
  },
  'the function that ends jobs is trusted by the whole account': {
    file: 'function.ts',
    from: "args.assumeRolePolicy = trust('lambda');",
    to: '',
    caughtBy: 'no role has a wildcard, a right over versions, or trusts more than one service',
  },
  'functions write to every log': {
    file: 'function.ts',
    from: 'args.managedPolicyArns = [];',
    to: '',
    caughtBy: 'no role has a wildcard, a right over versions, or trusts more than one service',
  },
  'a GPU waits for jobs': {
    file: 'tuner.ts',
    from: 'minVcpus: 0,',
    to: 'minVcpus: 4,',
    caughtBy: 'nothing of the GPUs is paid for when nothing trains',
  },
  'machines at the full price': {
    file: 'tuner.ts',
    from: 'return capacity.map((type, i) => {',
    to: "return (['EC2'] as const).map((type, i) => {",
    caughtBy: 'nothing of the GPUs is paid for when nothing trains',
  },
  'machines without a driver': {
    file: 'tuner.ts',
    from: "'ECS_AL2023_NVIDIA'",
    to: "'ECS_AL2023'",
    caughtBy: 'nothing of the GPUs is paid for when nothing trains',
  },
  'two GPUs a job': {
    file: 'tuner.ts',
    from: "{ type: 'GPU', value: '1' }",
    to: "{ type: 'GPU', value: '2' }",
    caughtBy: 'a job has one GPU, an end, and another attempt only if its machine was lost',
  },
  'a job that fails is tried again': {
    file: 'tuner.ts',
    from: "{ action: 'EXIT', onReason: '*' },",
    to: '',
    caughtBy: 'a job has one GPU, an end, and another attempt only if its machine was lost',
  },
  'a job that hangs is paid for until somebody notices': {
    file: 'tuner.ts',
    from: 'timeout: { attemptDurationSeconds: settings.tuner.maxHours * HOUR },',
    to: '',
    caughtBy: 'a job has one GPU, an end, and another attempt only if its machine was lost',
  },
  'a lost machine loses its job': {
    file: 'tuner.ts',
    from: 'attempts: 5,',
    to: 'attempts: 1,',
    caughtBy: 'a job has one GPU, an end, and another attempt only if its machine was lost',
  },
  'containers do not hear of the end of their machine': {
    file: 'tuner.ts',
    from: 'ECS_ENABLE_SPOT_INSTANCE_DRAINING=true\n',
    to: '',
    caughtBy: 'a machine that is taken away leaves the time to checkpoint',
  },
  'checkpointing takes longer than the machine has': {
    file: 'tuner.ts',
    from: 'const GRACE_SECONDS = 90;',
    to: 'const GRACE_SECONDS = 110;',
    caughtBy: 'a machine that is taken away leaves the time to checkpoint',
  },
  'the pipe passes the whole message on': {
    file: 'tuner.ts',
    from: "job: '$.body.jobId'",
    to: "job: '$.body'",
    caughtBy: 'jobs get from the queue to Batch, as ids alone',
  },
  'the pipe drinks from the dead letters': {
    file: 'tuner.ts',
    from: 'source: jobs.main.arn,',
    to: 'source: jobs.dead.arn,',
    caughtBy: 'jobs get from the queue to Batch, as ids alone',
  },
  'a public bucket': {
    file: 'storage.ts',
    from: 'cors: false,',
    to: "cors: false, access: 'public',",
    caughtBy: 'the bucket is private, encrypted, versioned and closed to other sites',
  },
  'a bucket open to every site': {
    file: 'storage.ts',
    from: 'cors: false,',
    to: '',
    caughtBy: 'the bucket is private, encrypted, versioned and closed to other sites',
  },
  'a bucket without encryption': {
    file: 'storage.ts',
    from: "sseAlgorithm: 'AES256'",
    to: "sseAlgorithm: 'none'",
    caughtBy: 'the bucket is private, encrypted, versioned and closed to other sites',
  },
  'nothing can be undone': {
    file: 'storage.ts',
    from: 'versioning: true,',
    to: '',
    caughtBy: 'the bucket is private, encrypted, versioned and closed to other sites',
  },
  'checkpoints of running jobs are kept like everything else': {
    file: 'storage.ts',
    from: '...days(1),',
    to: '',
    caughtBy: 'what was replaced, given up or forgotten leaves the bucket',
  },
  'files of tenants expire': {
    file: 'storage.ts',
    from: "{ id: 'undo', status: 'Enabled', filter: { prefix: '' }, ...days(undoDays) },",
    to: "{ id: 'undo', status: 'Enabled', filter: { prefix: '' }, expiration: { days: 90 }, ...days(undoDays) },",
    caughtBy: 'what was replaced, given up or forgotten leaves the bucket',
  },
  'removing production removes its data': {
    stage: 'production',
    file: 'settings.ts',
    from: '  keepData: true,\n',
    to: '',
    caughtBy: 'data outlives a stage where it should, and mistakes can be undone',
  },
  'logs of production are gone after a week': {
    stage: 'production',
    file: 'settings.ts',
    from: '  logDays: 90,\n',
    to: '',
    caughtBy: 'data outlives a stage where it should, and mistakes can be undone',
  },
  'the alarm watches the wrong queue': {
    file: 'metrics.ts',
    from: "dead: sqs(jobs.dead, 'ApproximateNumberOfMessagesVisible')",
    to: "dead: sqs(jobs.main, 'ApproximateNumberOfMessagesVisible')",
    caughtBy: 'alarms watch the right things and reach somebody',
  },
  'the alarm about sweeps watches another function': {
    file: 'metrics.ts',
    from: "notSwept: lambda(sweeping.functionName, 'Errors', 'Sum')",
    to: "notSwept: lambda(failed.functionName, 'Errors', 'Sum')",
    caughtBy: 'alarms watch the right things and reach somebody',
  },
  'alarms reach nobody': {
    file: 'alarms.ts',
    from: 'alarmActions: [topic.arn],',
    to: '',
    caughtBy: 'alarms watch the right things and reach somebody',
  },
  'failed jobs are no dead letters': {
    file: 'failed-jobs.ts',
    from: "new aws.cloudwatch.EventTarget('JobFailedToDead', { rule: rule.name, arn: jobs.dead.arn });",
    to: '',
    caughtBy: 'a job that Batch gives up is told to its owner and to the operator',
  },
  'failed jobs are told to nobody': {
    file: 'failed-jobs.ts',
    from: "new aws.cloudwatch.EventTarget('JobFailedToOwner', { rule: rule.name, arn: fn.arn });",
    to: '',
    caughtBy: 'a job that Batch gives up is told to its owner and to the operator',
  },
  'anybody may put dead letters': {
    file: 'failed-jobs.ts',
    from: "conditions: [{ test: 'ArnEquals', variable: 'aws:SourceArn', values: [rule.arn] }],",
    to: '',
    caughtBy: 'a job that Batch gives up is told to its owner and to the operator',
  },
  'a NAT gateway': {
    file: 'network.ts',
    from: 'return { id: vpc.id, subnets };',
    to: "new aws.ec2.NatGateway('Nat', { subnetId: subnets[0]! }); return { id: vpc.id, subnets };",
    caughtBy: 'nothing of the GPUs is paid for when nothing trains',
  },
  'machines without an address, which reach nothing': {
    file: 'network.ts',
    from: 'mapPublicIpOnLaunch: true,',
    to: '',
    caughtBy: 'machines reach AWS without a NAT gateway, and nobody reaches them',
  },
  'answers that do not stream': {
    file: 'api-function.ts',
    from: 'streaming: true,',
    to: '',
    caughtBy: 'the API streams, over a URL of its own, with the settings of its stage',
  },
  'a key in the clear in the definition of a task': {
    stage: 'steady',
    file: 'api-service.ts',
    from: 'ssm: { POLYPROMPT_KEY: key.arn },',
    to: 'ssm: { POLYPROMPT_KEY: key.arn, OTHER: key.value },',
    caughtBy: 'the key of the service is a secret, which only its start reads',
  },
  'a container that reads every secret of the account': {
    stage: 'steady',
    file: 'api-service.ts',
    from: "args.inlinePolicies = [inlinePolicy('start', [read])];",
    to: '',
    caughtBy: 'no role has a wildcard, a right over versions, or trusts more than one service',
  },
  'tasks that sweep without the rights to': {
    stage: 'steady',
    file: 'api-service.ts',
    from: "      POLYPROMPT_SWEEP_MINUTES: '0',\n",
    to: '',
    caughtBy: 'the service leaves sweeping and training to those that may',
  },
  'what sweeps deletes versions of what it removes': {
    file: 'permissions.ts',
    from: "['s3:AbortMultipartUpload', ...DELETE]",
    to: "['s3:AbortMultipartUpload', 's3:DeleteObjectVersion', ...DELETE]",
    caughtBy: 'no role has a wildcard, a right over versions, or trusts more than one service',
  },
  'nobody sweeps': {
    file: 'sweep.ts',
    from: "new aws.cloudwatch.EventTarget('HourlySweep', { rule: rule.name, arn: fn.arn });",
    to: '',
    caughtBy: 'what sweeps may do that and no more, every hour',
  },
  'a service that does not grow': {
    stage: 'steady',
    file: 'api-service.ts',
    from: 'cpuUtilization: CPU_PERCENT,',
    to: 'cpuUtilization: false,',
    caughtBy: 'the service is reached over TLS alone, scales, and has no way in',
  },
  'a load balancer open on every port': {
    stage: 'steady',
    file: 'api-service.ts',
    from: 'args.ingress = [80, 443].map((port) => ({',
    to: 'args.ingress = [0, 80, 443].map((port) => ({',
    caughtBy: 'the service is reached over TLS alone, scales, and has no way in',
  },
};

const missing = platformMissing();
const evaluator = new Evaluator();
afterAll(() => evaluator.close());

describe.skipIf(missing)(`a mistake in the stacks${missing ? ` (${missing})` : ''}`, () => {
  it.each(Object.entries(MISTAKES))(
    'is noticed: %s',
    async (_, { caughtBy, stage = 'somebody', ...mutation }) => {
      const stack = await evaluator.evaluate(stage, mutation);
      expect(() => ALL[caughtBy](stack)).toThrow();
    },
  );

  it('in an apply() is no partial answer', async () => {
    const mutation = {
      file: 'failed-jobs.ts',
      from: 'return { functionName: fn.name };',
      to: "fn.arn.apply(() => { throw new Error('on purpose'); }); return { functionName: fn.name };",
    };
    await expect(evaluator.evaluate('somebody', mutation)).rejects.toThrow('on purpose');
  });

  it.each([
    [
      'architecture',
      "'x86_64',\n    timeoutSeconds",
      "'arm64',\n    timeoutSeconds",
      '--arch arm64',
    ],
    ['backbone', "backbone: 'polyprompt-mini'", "backbone: 'other'", 'models/other'],
  ])('in what was bundled ends the deployment: another %s', async (_, from, to, said) => {
    const mutation = { file: 'settings.ts', from, to };
    await expect(evaluator.evaluate('somebody', mutation)).rejects.toThrow(said);
  });

  it('that is not there proves nothing', async () => {
    const mutation = { file: 'queues.ts', from: 'no such text', to: '' };
    await expect(evaluator.evaluate('somebody', mutation)).rejects.toThrow('queues.ts has 0 times');
  });
});
