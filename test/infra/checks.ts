/**
 * What must hold for every stage, each as a function that throws when it does not: for stages as they are,
 * and for stages with a mistake in them, which must not pass.
 */
import assert from 'node:assert/strict';
import { listOf, type Stack } from '../../stacks/testing/evaluation.ts';

type Check = (stack: Stack) => void;

const BUCKET = 's3:StateBucket';
/** Names that AWS is given carry a random ending. */
const queueNames = (stack: Stack) => ({
  main: stack.one('sqs/queue:Queue', 'JobsQueue').name as string,
  dead: stack.one('sqs/queue:Queue', 'DeadJobsQueue').name as string,
});
const endOf = (arn: string) => arn.split(':').at(-1);

const onFolders = (actions: readonly string[], folders: readonly string[]) =>
  folders.flatMap((folder) => actions.map((action) => `s3:${action} ${BUCKET}/${folder}`));
const READ = ['GetObject'];
const WRITE = ['PutObject', 'AbortMultipartUpload'];
const DELETE = ['DeleteObject'];

function assertRights(stack: Stack, role: string, expected: readonly string[]): void {
  const { main } = queueNames(stack);
  const rights = stack
    .rights(role)
    .map((right) => right.replaceAll(main, 'JobsQueue'))
    .filter((right) => !right.startsWith('logs:'));
  assert.deepEqual(rights, expected.toSorted());
}

export const CHECKS = {
  'the bucket is private, encrypted, versioned and closed to other sites': (stack) => {
    const access = stack.one('s3/bucketPublicAccessBlock:BucketPublicAccessBlock');
    const { bucket, ...blocked } = access;
    assert.equal(bucket, 'StateBucket');
    assert.deepEqual(Object.values(blocked), [true, true, true, true]);
    const [encryption] = stack.one(
      's3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration',
    ).rules;
    assert.equal(encryption.applyServerSideEncryptionByDefault.sseAlgorithm, 'AES256');
    const versioning = stack.one('s3/bucketVersioning:BucketVersioning');
    assert.equal(versioning.versioningConfiguration.status, 'Enabled');
    assert.deepEqual(stack.all('s3/bucketCorsConfiguration:BucketCorsConfiguration'), []);
    const { Statement } = JSON.parse(stack.one('s3/bucketPolicy:BucketPolicy').policy);
    assert.equal(Statement.length, 1);
    assert.equal(Statement[0].Effect, 'Deny');
    assert.deepEqual(Statement[0].Condition, { Bool: { 'aws:SecureTransport': ['false'] } });
  },

  'what was replaced, given up or forgotten leaves the bucket': (stack) => {
    const { rules } = stack.one('s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration');
    const of = (id: string) => rules.find((rule: { id: string }) => rule.id === id);
    assert.ok(rules.every((rule: { status: string }) => rule.status === 'Enabled'));
    assert.equal(of('checkpoints').filter.prefix, 'checkpoints/');
    assert.equal(of('checkpoints').noncurrentVersionExpiration.noncurrentDays, 1);
    assert.ok(of('checkpoints').expiration.days >= 30);
    assert.equal(of('uploads').abortIncompleteMultipartUpload.daysAfterInitiation, 2);
    assert.equal(of('markers').expiration.expiredObjectDeleteMarker, true);
    // Nothing that the registry knows of may expire behind its back.
    const expiring = rules.filter(
      (rule: { expiration?: { days?: number } }) => rule.expiration?.days,
    );
    assert.deepEqual(
      expiring.map((rule: { id: string }) => rule.id),
      ['checkpoints'],
    );
  },

  'data outlives a stage where it should, and mistakes can be undone': (stack) => {
    const kept = stack.app.stage !== 'somebody';
    assert.equal(stack.app.removal, kept ? 'retain' : 'remove');
    assert.equal(stack.app.protect, kept);
    assert.equal(stack.one('s3/bucket:Bucket', 'StateBucket').forceDestroy, !kept);
    const { rules } = stack.one('s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration');
    const undo = rules.find((rule: { id: string }) => rule.id === 'undo');
    assert.equal(undo.noncurrentVersionExpiration.noncurrentDays, kept ? 14 : 1);
    const logs = stack.all('cloudwatch/logGroup:LogGroup');
    assert.ok(logs.length >= 3);
    for (const { name, inputs } of logs) {
      assert.equal(inputs.retentionInDays, kept ? 90 : 7, name);
    }
  },

  'a message that is received too often becomes a dead letter': (stack) => {
    const policy = JSON.parse(stack.one('sqs/queue:Queue', 'JobsQueue').redrivePolicy);
    assert.equal(endOf(policy.deadLetterTargetArn), queueNames(stack).dead);
    assert.equal(policy.maxReceiveCount, 5);
    const dead = stack.one('sqs/queue:Queue', 'DeadJobsQueue');
    assert.equal(dead.messageRetentionSeconds, 14 * 24 * 3600);
    for (const { inputs } of stack.all('sqs/queue:Queue')) {
      assert.equal(inputs.sqsManagedSseEnabled, true);
    }
  },

  'the API may do what it does and no more': (stack) => {
    const role = stack.all('iam/role:Role').some(({ name }) => name === 'ApiTaskRole')
      ? 'ApiTaskRole'
      : 'ApiRole';
    assertRights(stack, role, [
      ...onFolders(READ, ['keys/*', 'tenants/*', 'backbones/*']),
      ...onFolders(WRITE, ['keys/*', 'tenants/*']),
      ...onFolders(DELETE, ['tenants/*', 'checkpoints/*']),
      `s3:ListBucket ${BUCKET}`,
      'sqs:SendMessage sqs:JobsQueue',
    ]);
  },

  'the tuner may do what it does and no more, and read no keys': (stack) => {
    assertRights(stack, 'TunerRole', [
      ...onFolders(READ, ['tenants/*', 'backbones/*', 'checkpoints/*']),
      ...onFolders(WRITE, ['tenants/*', 'checkpoints/*']),
      ...onFolders(DELETE, ['tenants/*', 'checkpoints/*']),
      `s3:ListBucket ${BUCKET}`,
      'sqs:SendMessage sqs:JobsQueue',
    ]);
  },

  'what ends failed jobs, and the pipe, may do that and no more': (stack) => {
    assertRights(stack, 'FailedJobRole', [
      ...onFolders(['GetObject', 'PutObject'], ['tenants/*']),
      ...onFolders(DELETE, ['tenants/*', 'checkpoints/*']),
      `s3:ListBucket ${BUCKET}`,
      'sqs:SendMessage sqs:JobsQueue',
    ]);
    assertRights(stack, 'TunerPipeRole', [
      'batch:SubmitJob batch:TunerJob',
      'batch:SubmitJob batch:TunerQueue',
      'sqs:DeleteMessage sqs:JobsQueue',
      'sqs:GetQueueAttributes sqs:JobsQueue',
      'sqs:ReceiveMessage sqs:JobsQueue',
    ]);
  },

  'what sweeps may do that and no more, every hour': (stack) => {
    assertRights(stack, 'SweepRole', [
      ...onFolders(['GetObject', 'PutObject'], ['sweep.json', 'tenants/*']),
      ...onFolders(['AbortMultipartUpload', 'DeleteObject'], ['tenants/*', 'checkpoints/*']),
      `s3:ListBucket ${BUCKET}`,
      `s3:ListBucketMultipartUploads ${BUCKET}`,
      'sqs:SendMessage sqs:JobsQueue',
    ]);
    const hourly = stack.one('cloudwatch/eventRule:EventRule', 'Hourly');
    assert.equal(hourly.scheduleExpression, 'rate(1 hour)');
    const target = stack.one('cloudwatch/eventTarget:EventTarget', 'HourlySweep');
    assert.deepEqual([target.rule, /SweepFunction/.test(target.arn)], ['Hourly', true]);
  },

  'no role has a wildcard, a right over versions, or trusts more than one service': (stack) => {
    const roles = stack.all('iam/role:Role');
    assert.ok(roles.length >= 5);
    for (const { name, inputs } of roles) {
      for (const { Action, Resource } of stack.statements(name)) {
        for (const action of listOf(Action)) {
          assert.ok(!action.includes('*'), `${name} may ${action}`);
          assert.ok(!/Version|Lifecycle|Policy|Acl/.test(action), `${name} may ${action}`);
        }
        for (const resource of listOf(Resource)) {
          assert.match(resource, /^arn:aws:[a-z0-9]+:.*[A-Za-z]/, `${name} on ${resource}`);
        }
      }
      const principals = stack.trust(name).map(({ Principal }) => Principal);
      assert.equal(principals.length, 1, name);
      assert.deepEqual(Object.keys(principals[0] as object), ['Service'], name);
      assert.equal(listOf((principals[0] as { Service: string }).Service).length, 1, name);
      // Of AWS's own policies only those without which machines and containers do not start.
      for (const policy of inputs.managedPolicyArns ?? []) {
        assert.match(
          policy,
          /\/(AmazonEC2ContainerServiceforEC2Role|AmazonECSTaskExecutionRolePolicy)$/,
        );
      }
    }
  },

  'nothing of the GPUs is paid for when nothing trains': (stack) => {
    const environments = stack.all('batch/computeEnvironment:ComputeEnvironment');
    assert.equal(environments[0]!.inputs.computeResources.type, 'SPOT');
    for (const { inputs } of environments) {
      const { computeResources } = inputs;
      assert.equal(computeResources.minVcpus, 0);
      // Batch's own; setting it would take machines away or keep them.
      assert.equal(computeResources.desiredVcpus, undefined);
      assert.ok(computeResources.maxVcpus >= 4);
      assert.match(computeResources.ec2Configurations[0].imageType, /NVIDIA/);
      assert.ok(computeResources.instanceTypes.every((type: string) => /^g[456]/.test(type)));
    }
    const [first] = stack.one('batch/jobQueue:JobQueue').computeEnvironmentOrders;
    assert.match(first.computeEnvironment, /TunerMachinesSPOT$/);
    for (const paid of ['ec2/natGateway:NatGateway', 'ec2/eip:Eip', 'route53/zone:Zone']) {
      assert.deepEqual(stack.all(paid), []);
    }
  },

  'a job has one GPU, an end, and another attempt only if its machine was lost': (stack) => {
    const definition = stack.one('batch/jobDefinition:JobDefinition');
    const container = JSON.parse(definition.containerProperties);
    const asked = Object.fromEntries(
      container.resourceRequirements.map(({ type, value }: { type: string; value: string }) => [
        type,
        value,
      ]),
    );
    assert.deepEqual(asked, { GPU: '1', VCPU: '4', MEMORY: '14000' });
    assert.match(container.image, /@sha256:/);
    assert.equal(container.privileged, undefined);
    assert.match(container.jobRoleArn, /role\/TunerRole$/);
    assert.ok(definition.timeout.attemptDurationSeconds >= 3600);
    assert.deepEqual(definition.retryStrategy.evaluateOnExits, [
      { action: 'RETRY', onStatusReason: 'Host EC2*' },
      { action: 'EXIT', onReason: '*' },
    ]);
    assert.ok(definition.retryStrategy.attempts > 1);
  },

  'a machine that is taken away leaves the time to checkpoint': (stack) => {
    const template = stack.one('ec2/launchTemplate:LaunchTemplate');
    const userData = Buffer.from(template.userData, 'base64').toString();
    assert.match(userData, /^MIME-Version: 1\.0\nContent-Type: multipart\/mixed; boundary=/);
    assert.match(userData, /ECS_ENABLE_SPOT_INSTANCE_DRAINING=true/);
    const [, stop] = /ECS_CONTAINER_STOP_TIMEOUT=(\d+)s/.exec(userData)!;
    const { environment } = JSON.parse(
      stack.one('batch/jobDefinition:JobDefinition').containerProperties,
    );
    const grace = environment.find(
      ({ name }: { name: string }) => name === 'POLYPROMPT_GRACE_SECONDS',
    );
    // Shorter than what the agent waits, which is shorter than the notice of two minutes.
    assert.ok(Number(grace.value) < Number(stop) && Number(stop) < 120);
    assert.equal(template.metadataOptions.httpTokens, 'required');
    assert.equal(template.metadataOptions.httpPutResponseHopLimit, 1);
    assert.equal(template.blockDeviceMappings[0].ebs.encrypted, 'true');
  },

  'jobs get from the queue to Batch, as ids alone': (stack) => {
    const pipe = stack.one('pipes/pipe:Pipe');
    assert.equal(endOf(pipe.source), queueNames(stack).main);
    assert.match(pipe.target, /:batch:.*:TunerQueue$/);
    assert.equal(pipe.sourceParameters.sqsQueueParameters.batchSize, 1);
    const { parameters } = pipe.targetParameters.batchJobParameters;
    assert.deepEqual(parameters, { tenant: '$.body.tenant', job: '$.body.jobId' });
    const definition = stack.one('batch/jobDefinition:JobDefinition');
    assert.deepEqual(Object.keys(definition.parameters).toSorted(), ['job', 'tenant']);
    const { command } = JSON.parse(definition.containerProperties);
    assert.deepEqual(command.slice(-2), ['Ref::tenant', 'Ref::job']);
  },

  'a job that Batch gives up is told to its owner and to the operator': (stack) => {
    const rule = stack.one('cloudwatch/eventRule:EventRule', 'JobFailed');
    const pattern = JSON.parse(rule.eventPattern);
    assert.deepEqual(pattern.source, ['aws.batch']);
    assert.deepEqual(pattern.detail.status, ['FAILED']);
    assert.match(pattern.detail.jobQueue[0], /:TunerQueue$/);
    const targets = stack
      .all('cloudwatch/eventTarget:EventTarget')
      .filter(({ inputs }) => inputs.rule === 'JobFailed')
      .map(({ inputs }) => inputs.arn);
    assert.equal(targets.length, 2);
    assert.ok(targets.some((arn) => endOf(arn) === queueNames(stack).dead));
    assert.ok(targets.some((arn) => /:lambda:.*FailedJobFunction/.test(arn)));
    const policy = stack.one('sqs/queuePolicy:QueuePolicy');
    const [allowed, ...others] = JSON.parse(policy.policy).Statement;
    assert.deepEqual(others, []);
    assert.ok(policy.queueUrl.endsWith(queueNames(stack).dead));
    assert.deepEqual(allowed.Action, ['sqs:SendMessage']);
    assert.deepEqual(allowed.Principal, { Service: ['events.amazonaws.com'] });
    assert.match(allowed.Condition.ArnEquals['aws:SourceArn'][0], /:rule\/.*JobFailed/);
    const invoke = stack.one('lambda/permission:Permission', 'FailedJobInvoke');
    assert.match(invoke.sourceArn, /:rule\/.*JobFailed/);
    assert.equal(invoke.principal, 'events.amazonaws.com');
    const retries = stack.one(
      'lambda/functionEventInvokeConfig:FunctionEventInvokeConfig',
      'FailedJobEventInvokeConfig',
    );
    // Two minutes in all, and a dead worker's lease lasts half a minute.
    assert.equal(retries.maximumRetryAttempts, 2);
  },

  'alarms watch the right things and reach somebody': (stack) => {
    const { main, dead } = queueNames(stack);
    const alarm = (name: string) => stack.one('cloudwatch/metricAlarm:MetricAlarm', name);
    assert.equal(alarm('DeadJobsWaiting').dimensions.QueueName, dead);
    assert.equal(alarm('DeadJobsWaiting').threshold, 0);
    assert.equal(alarm('DeadJobsWaiting').metricName, 'ApproximateNumberOfMessagesVisible');
    assert.equal(alarm('JobsNotTaken').dimensions.QueueName, main);
    assert.equal(alarm('JobsNotTaken').metricName, 'ApproximateAgeOfOldestMessage');
    assert.equal(alarm('PipeFailed').dimensions.PipeName, 'TunerPipe');
    assert.match(alarm('FailedJobErrors').dimensions.FunctionName, /FailedJobFunction/);
    assert.match(alarm('SweepErrors').dimensions.FunctionName, /SweepFunction/);
    assert.match(
      Object.values<string>(alarm('ApiErrors').dimensions).join(),
      /ApiFunction|app\/.*ApiLoadBalancer/,
    );
    const topic = stack.one('sns/topic:Topic').name;
    const alarms = stack.all('cloudwatch/metricAlarm:MetricAlarm');
    assert.equal(alarms.length, 8);
    for (const { name, inputs } of alarms) {
      assert.deepEqual(inputs.alarmActions.map(endOf), [topic], name);
      assert.equal(inputs.treatMissingData, 'notBreaching', name);
      assert.equal(inputs.comparisonOperator, 'GreaterThanThreshold', name);
    }
    const { widgets } = JSON.parse(stack.one('cloudwatch/dashboard:Dashboard').dashboardBody);
    const shown = JSON.stringify(widgets);
    for (const name of [main, dead, 'TunerPipe']) assert.ok(shown.includes(name), name);
  },

  'machines reach AWS without a NAT gateway, and nobody reaches them': (stack) => {
    const subnets = stack.all('ec2/subnet:Subnet');
    assert.equal(subnets.length, 3);
    assert.equal(new Set(subnets.map(({ inputs }) => inputs.availabilityZone)).size, 3);
    assert.equal(new Set(subnets.map(({ inputs }) => inputs.cidrBlock)).size, 3);
    for (const { inputs } of subnets) assert.equal(inputs.mapPublicIpOnLaunch, true);
    for (const { inputs } of stack.all('batch/computeEnvironment:ComputeEnvironment')) {
      assert.deepEqual(
        inputs.computeResources.subnets,
        subnets.map(({ id }) => id),
      );
      assert.deepEqual(inputs.computeResources.securityGroupIds, ['TunerGroup-id']);
    }
    assert.deepEqual(stack.one('ec2/securityGroup:SecurityGroup', 'TunerGroup').ingress, []);
    assert.equal(
      stack.one('ec2/vpcEndpoint:VpcEndpoint').serviceName,
      'com.amazonaws.us-east-1.s3',
    );
  },
} satisfies Record<string, Check>;

export type CheckName = keyof typeof CHECKS;

/** Of the API on Lambda alone. */
export const FUNCTION_CHECKS = {
  'the API streams, over a URL of its own, with the settings of its stage': (stack) => {
    const fn = stack.one('lambda/function:Function', 'ApiFunction');
    assert.equal(fn.memorySize, 3538);
    assert.deepEqual(fn.architectures, ['x86_64']);
    assert.equal(fn.runtime, 'nodejs24.x');
    assert.equal(fn.handler, 'lambda.handler');
    assert.ok(fn.timeout >= 60);
    const url = stack.one('lambda/functionUrl:FunctionUrl');
    assert.equal(url.invokeMode, 'RESPONSE_STREAM');
    assert.equal(url.cors, undefined);
    const { variables } = fn.environment;
    assert.equal(variables.POLYPROMPT_BUCKET, 'StateBucket');
    assert.ok(variables.POLYPROMPT_QUEUE.endsWith(queueNames(stack).main));
    assert.equal(variables.POLYPROMPT_TUNER, 'off');
  },
} satisfies Record<string, Check>;

/** Of the API as a service alone. */
export const SERVICE_CHECKS = {
  'the service is reached over TLS alone, scales, and has no way in': (stack) => {
    const listeners = stack.all('lb/listener:Listener').map(({ inputs }) => inputs);
    const of = (protocol: string) => listeners.find((each) => each.protocol === protocol);
    assert.equal(listeners.length, 2);
    assert.equal(of('HTTP').defaultActions[0].type, 'redirect');
    assert.match(of('HTTPS').sslPolicy, /TLS13/);
    const front = stack.one('ec2/securityGroup:SecurityGroup', 'ApiLoadBalancerSecurityGroup');
    assert.deepEqual(
      front.ingress.map((rule: { fromPort: number }) => rule.fromPort),
      [80, 443],
    );
    assert.deepEqual(stack.one('ec2/securityGroup:SecurityGroup', 'ApiGroup').ingress, [
      { protocol: 'tcp', fromPort: 8787, toPort: 8787, cidrBlocks: ['10.0.0.0/16'] },
    ]);
    const service = stack.one('ecs/service:Service');
    assert.equal(service.enableExecuteCommand, false);
    assert.equal(service.deploymentCircuitBreaker.rollback, true);
    const scaling = stack.one('appautoscaling/target:Target');
    assert.deepEqual([scaling.minCapacity, scaling.maxCapacity], [2, 20]);
    const policy = stack.one('appautoscaling/policy:Policy');
    assert.equal(
      policy.targetTrackingScalingPolicyConfiguration.predefinedMetricSpecification
        .predefinedMetricType,
      'ECSServiceAverageCPUUtilization',
    );
    assert.equal(stack.one('lb/targetGroup:TargetGroup').healthCheck.path, '/ready');
  },
  'the service leaves sweeping and training to those that may': (stack) => {
    const [{ environment }] = JSON.parse(
      stack.one('ecs/taskDefinition:TaskDefinition').containerDefinitions,
    );
    const of = (wanted: string) =>
      environment.find(({ name }: { name: string }) => name === wanted)?.value;
    assert.equal(of('POLYPROMPT_SWEEP_MINUTES'), '0');
    assert.equal(of('POLYPROMPT_TUNER'), 'off');
    assert.equal(of('POLYPROMPT_BUCKET'), 'StateBucket');
    assert.ok(of('POLYPROMPT_QUEUE').endsWith(queueNames(stack).main));
  },
  'the key of the service is a secret, which only its start reads': (stack) => {
    const [container] = JSON.parse(
      stack.one('ecs/taskDefinition:TaskDefinition').containerDefinitions,
    );
    assert.ok(!JSON.stringify(container).includes('key-of-the-tests'));
    assert.deepEqual(
      container.secrets.map(({ name }: { name: string }) => name),
      ['POLYPROMPT_KEY'],
    );
    assert.equal(stack.one('ssm/parameter:Parameter').type, 'SecureString');
    assertRights(stack, 'ApiExecutionRole', ['ssm:GetParameters ssm:ApiAdminKey']);
  },
} satisfies Record<string, Check>;
