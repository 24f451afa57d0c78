/// <reference path="../.sst/platform/config.d.ts" />
import { image } from './image.ts';
import { type Network, securityGroup } from './network.ts';
import { inlinePolicy, trust, tunerMay } from './permissions.ts';
import type { Jobs } from './queues.ts';
import { type StageSettings, VCPUS_PER_JOB } from './settings.ts';
import type { State } from './storage.ts';

/** Of the 16 GiB of the smallest machine; the rest is the system's and the ECS agent's. */
const MEMORY_MIB = 14_000;
const DISK_GIB = 100;
/** A machine that is taken away says so two minutes before; checkpointing has to fit. */
const GRACE_SECONDS = 90;
const HOUR = 3600;

/** Free strings, which nothing but AWS checks. */
const GPU_IMAGE = 'ECS_AL2023_NVIDIA'; // batch/latest/APIReference/API_Ec2Configuration.html
const STRATEGY = { SPOT: 'SPOT_PRICE_CAPACITY_OPTIMIZED', EC2: 'BEST_FIT_PROGRESSIVE' } as const;
/** batch/latest/userguide/job_stuck_in_runnable.html */
const STUCK = [
  { reason: 'MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE', hours: 1 },
  { reason: 'MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT', hours: 1 },
  { reason: 'CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY', hours: 24 },
];

interface Input {
  readonly settings: StageSettings;
  readonly state: State;
  readonly jobs: Jobs;
  readonly net: Network;
}

/** Job queue -> pipe -> Batch: a machine with a GPU per job while there are jobs, and none otherwise. */
export function tuner({ settings, state, jobs, net }: Input) {
  const queue = new aws.batch.JobQueue('TunerQueue', {
    state: 'ENABLED',
    priority: 1,
    computeEnvironmentOrders: machines(settings, net),
    jobStateTimeLimitActions: STUCK.map(({ reason, hours }) => ({
      action: 'CANCEL',
      state: 'RUNNABLE',
      reason,
      maxTimeSeconds: hours * HOUR,
    })),
  });
  const definition = jobDefinition({ settings, state, jobs });
  const pipe = new aws.pipes.Pipe('TunerPipe', {
    roleArn: pipeRole(jobs, queue, definition).arn,
    source: jobs.main.arn,
    // Batch takes one at a time.
    sourceParameters: { sqsQueueParameters: { batchSize: 1 } },
    target: queue.arn,
    targetParameters: {
      batchJobParameters: {
        jobDefinition: definition.arn,
        jobName: 'tune',
        parameters: { tenant: '$.body.tenant', job: '$.body.jobId' },
      },
    },
  });
  return { queue, definition, pipe };
}

export type Tuner = ReturnType<typeof tuner>;

function machines({ tuner: { capacity, instanceTypes, maxVcpus } }: StageSettings, net: Network) {
  const role = new aws.iam.Role('TunerInstanceRole', {
    assumeRolePolicy: trust('ec2'),
    managedPolicyArns: ['arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role'],
  });
  const profile = new aws.iam.InstanceProfile('TunerInstanceProfile', { role: role.name });
  const template = new aws.ec2.LaunchTemplate('TunerTemplate', {
    // One hop: the machine's own role is not for the container, which has one of its own.
    metadataOptions: { httpTokens: 'required', httpPutResponseHopLimit: 1 },
    blockDeviceMappings: [
      {
        deviceName: '/dev/xvda',
        // The default disk does not hold an image with CUDA and a backbone beside it.
        ebs: { volumeSize: DISK_GIB, volumeType: 'gp3', encrypted: 'true' },
      },
    ],
    userData: Buffer.from(USER_DATA).toString('base64'),
  });
  const group = securityGroup('TunerGroup', net);
  return capacity.map((type, i) => {
    // No names, service role or number of machines wished for: with any of them a change would replace
    // the environment, which cannot be deleted while the queue refers to it.
    const environment = new aws.batch.ComputeEnvironment(`TunerMachines${type}`, {
      type: 'MANAGED',
      computeResources: {
        type,
        allocationStrategy: STRATEGY[type],
        minVcpus: 0,
        maxVcpus,
        instanceTypes: [...instanceTypes],
        ec2Configurations: [{ imageType: GPU_IMAGE }],
        instanceRole: profile.arn,
        launchTemplate: { launchTemplateId: template.id, version: '$Latest' },
        subnets: net.subnets,
        securityGroupIds: [group.id],
      },
    });
    return { order: i + 1, computeEnvironment: environment.arn };
  });
}

/** Lets the container hear of the end of its machine, and gives it the time to checkpoint. */
const USER_DATA = `MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="==POLYPROMPT=="

--==POLYPROMPT==
Content-Type: text/x-shellscript; charset="us-ascii"

#!/bin/bash
cat >> /etc/ecs/ecs.config <<'END'
ECS_ENABLE_SPOT_INSTANCE_DRAINING=true
ECS_CONTAINER_STOP_TIMEOUT=${GRACE_SECONDS + 15}s
END

--==POLYPROMPT==--
`;

function jobDefinition({ settings, state, jobs }: Omit<Input, 'net'>) {
  const { uri } = image('Tuner', 'functions/tuner/Dockerfile', 'x86_64');
  const logs = new aws.cloudwatch.LogGroup('TunerLogs', { retentionInDays: settings.logDays });
  const role = new aws.iam.Role('TunerRole', {
    assumeRolePolicy: trust('ecs-tasks'),
    inlinePolicies: [inlinePolicy('tune', tunerMay({ state, jobs }))],
  });
  const environment = {
    POLYPROMPT_BUCKET: state.bucket.name,
    POLYPROMPT_QUEUE: jobs.main.url,
    AWS_REGION: settings.region,
    // Not auto: training on the CPU of a machine that is paid for its GPU would go unnoticed.
    POLYPROMPT_DEVICE: 'cuda',
    POLYPROMPT_GRACE_SECONDS: String(GRACE_SECONDS),
  };
  return new aws.batch.JobDefinition('TunerJob', {
    type: 'container',
    platformCapabilities: ['EC2'],
    // A machine that was taken away says nothing about the job; everything else would happen again.
    retryStrategy: {
      attempts: 5,
      evaluateOnExits: [
        { action: 'RETRY', onStatusReason: 'Host EC2*' },
        { action: 'EXIT', onReason: '*' },
      ],
    },
    timeout: { attemptDurationSeconds: settings.tuner.maxHours * HOUR },
    parameters: { tenant: '', job: '' },
    containerProperties: $jsonStringify({
      image: uri,
      // Batch fills in whole arguments and nothing else, so a shell has to put them together.
      command: ['sh', '-c', COMMAND, 'tune', 'Ref::tenant', 'Ref::job'],
      jobRoleArn: role.arn,
      environment: Object.entries(environment).map(([name, value]) => ({ name, value })),
      resourceRequirements: [
        { type: 'GPU', value: '1' },
        { type: 'VCPU', value: String(VCPUS_PER_JOB) },
        { type: 'MEMORY', value: String(MEMORY_MIB) },
      ],
      logConfiguration: {
        logDriver: 'awslogs',
        options: { 'awslogs-group': logs.name, 'awslogs-stream-prefix': 'tuner' },
      },
    }),
  });
}

const COMMAND = 'POLYPROMPT_JOB="$1/$2" exec node functions/tuner/src/main.ts';

function pipeRole(
  jobs: Jobs,
  queue: aws.batch.JobQueue,
  definition: aws.batch.JobDefinition,
): aws.iam.Role {
  return new aws.iam.Role('TunerPipeRole', {
    assumeRolePolicy: trust('pipes'),
    inlinePolicies: [
      inlinePolicy('pipe', [
        {
          actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
          resources: [jobs.main.arn],
        },
        { actions: ['batch:SubmitJob'], resources: [queue.arn, definition.arn] },
      ]),
    ],
  });
}
