/// <reference path="../.sst/platform/config.d.ts" />
import { type Api, adminKey, apiEnvironment } from './api.ts';
import { image } from './image.ts';
import { type Network, securityGroup } from './network.ts';
import { apiMay, inlinePolicy } from './permissions.ts';
import type { Jobs } from './queues.ts';
import type { ServiceSettings, StageSettings } from './settings.ts';
import type { State } from './storage.ts';

const PORT = 8787;
/** More and the batches grow, which keeps the throughput but not the latency. */
const CPU_PERCENT = 60;

interface Input {
  readonly settings: StageSettings;
  readonly api: ServiceSettings;
  readonly state: State;
  readonly jobs: Jobs;
  readonly net: Network;
}

/** The API as containers behind a load balancer, as many as the load asks for. */
export function apiService({ settings, api, state, jobs, net }: Input): Api {
  const { uri } = image('Api', 'functions/api/Dockerfile', api.architecture);
  const key = new aws.ssm.Parameter('ApiAdminKey', {
    type: 'SecureString',
    value: adminKey().value,
  });
  const group = securityGroup('ApiGroup', net, PORT);
  const cluster = new sst.aws.Cluster('ApiCluster', {
    vpc: {
      id: net.id,
      loadBalancerSubnets: net.subnets,
      containerSubnets: net.subnets,
      securityGroups: [group.id],
    },
  });
  const service = new sst.aws.Service('Api', {
    cluster,
    architecture: api.architecture,
    cpu: api.cpu,
    memory: `${api.memoryGb} GB`,
    storage: '30 GB',
    image: uri,
    environment: {
      ...apiEnvironment({ settings, state, jobs }),
      // A function does it.
      POLYPROMPT_SWEEP_MINUTES: '0',
      POLYPROMPT_HOST: '0.0.0.0',
      POLYPROMPT_PORT: String(PORT),
      AWS_REGION: settings.region,
    },
    ssm: { POLYPROMPT_KEY: key.arn },
    scaling: {
      min: api.minTasks,
      max: api.maxTasks,
      cpuUtilization: CPU_PERCENT,
      // The weights take the same whatever the load.
      memoryUtilization: false,
    },
    loadBalancer: {
      domain: api.domain,
      rules: [
        { listen: '80/http', redirect: '443/https' },
        { listen: '443/https', forward: `${PORT}/http` },
      ],
      health: {
        [`${PORT}/http`]: { path: '/ready', interval: '10 seconds', healthyThreshold: 2 },
      },
    },
    transform: {
      // SST's would let the world in on every port, open shells in the containers, and read every
      // secret of the account.
      loadBalancerSecurityGroup: (args) => {
        args.ingress = [80, 443].map((port) => ({
          protocol: 'tcp',
          fromPort: port,
          toPort: port,
          cidrBlocks: ['0.0.0.0/0'],
        }));
      },
      loadBalancer: (args) => {
        // Streams of events are silent for longer than a minute.
        args.idleTimeout = 300;
        args.dropInvalidHeaderFields = true;
      },
      listener: (args) => {
        if (args.protocol === 'HTTPS') args.sslPolicy = 'ELBSecurityPolicy-TLS13-1-2-2021-06';
      },
      target: (args) => {
        // Tasks end within POLYPROMPT_GRACE_SECONDS.
        args.deregistrationDelay = 30;
      },
      service: (args) => {
        args.enableExecuteCommand = false;
        args.networkConfiguration = {
          assignPublicIp: true,
          subnets: net.subnets,
          securityGroups: [group.id],
        };
      },
      logGroup: (args) => {
        args.retentionInDays = settings.logDays;
      },
      taskRole: (args) => {
        args.inlinePolicies = [inlinePolicy('api', apiMay({ state, jobs }))];
      },
      executionRole: (args) => {
        const read = { actions: ['ssm:GetParameters'], resources: [key.arn] };
        args.inlinePolicies = [inlinePolicy('start', [read])];
      },
    },
  });
  return {
    url: service.url,
    watched: {
      host: 'service',
      loadBalancer: service.nodes.loadBalancer.arnSuffix,
      cluster: cluster.nodes.cluster.name,
      service: service.nodes.service.name,
    },
  };
}
