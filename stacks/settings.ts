/**
 * What differs between stages, and nothing else: the one file to edit before a deployment. A stage that
 * is not listed gets the settings of a developer's own.
 */

/** One request at a time per instance, nothing when idle: for traffic that comes and goes. */
export interface FunctionSettings {
  readonly host: 'lambda';
  /** 128 to 10,240; every 1,769 MB are a processor. The weights have to fit, and then some. */
  readonly memoryMb: number;
  /** The bundle must be built for it: `npm run build:lambda -- --arch arm64`. */
  readonly architecture: Architecture;
  /** 1 to 900; streams of events are cut off then, and clients take them up again. */
  readonly timeoutSeconds: number;
  /** 512 to 10,240: holds a backbone that comes from the bucket. */
  readonly diskMb: number;
  /** Instances at most, taken from the account's; without it, all that the account has. */
  readonly maxInstances?: number;
}

/** Processes behind a load balancer that batch what many clients ask: for steady traffic. */
export interface ServiceSettings {
  readonly host: 'service';
  /** In a hosted zone of the account. Without a certificate of its own, keys would travel in the clear. */
  readonly domain: string;
  readonly cpu: '1 vCPU' | '2 vCPU' | '4 vCPU' | '8 vCPU' | '16 vCPU';
  readonly memoryGb: number;
  readonly architecture: Architecture;
  readonly minTasks: number;
  readonly maxTasks: number;
}

export interface TunerSettings {
  /** Each with one GPU, 4 vCPU and 16 GiB at least; Batch takes whichever it gets. */
  readonly instanceTypes: readonly string[];
  /** Four per job at work. */
  readonly maxVcpus: number;
  /** In this order; SPOT alone waits for as long as there is no Spot capacity. */
  readonly capacity: readonly ('SPOT' | 'EC2')[];
  /** A job that runs longer is ended, and failed. */
  readonly maxHours: number;
}

export interface AlarmSettings {
  /** Told about alarms, after confirming the first message; nobody is without it. */
  readonly email?: string;
  /** Of the whole account: told at 80 %, and when the month will end above. */
  readonly monthlyBudgetUsd?: number;
  /** The 95th percentile of a request's duration that is too slow. */
  readonly slowMs: number;
}

export interface StageSettings {
  readonly region: string;
  /** One of models/, or one that was pushed to the bucket. */
  readonly backbone: string;
  /** What the API's large matrices are multiplied in; int8 is faster, and its answers a little off. */
  readonly precision?: 'float32' | 'int8';
  readonly api: FunctionSettings | ServiceSettings;
  readonly tuner: TunerSettings;
  readonly alarms: AlarmSettings;
  /** Whether the bucket outlives `sst remove`, which asks to be sure besides. */
  readonly keepData: boolean;
  /** For how long what was overwritten or deleted can be brought back. */
  readonly undoDays: number;
  readonly logDays: (typeof LOG_DAYS)[number];
  readonly availabilityZones: number;
}

export type Architecture = 'x86_64' | 'arm64';

/** What CloudWatch takes. */
const LOG_DAYS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731] as const;

const PERSONAL: StageSettings = {
  region: 'us-east-1',
  backbone: 'polyprompt-mini',
  api: {
    host: 'lambda',
    memoryMb: 3538,
    architecture: 'x86_64',
    timeoutSeconds: 300,
    diskMb: 512,
  },
  tuner: {
    instanceTypes: ['g6.xlarge', 'g5.xlarge', 'g4dn.xlarge'],
    maxVcpus: 4,
    capacity: ['SPOT'],
    maxHours: 4,
  },
  alarms: { slowMs: 5000 },
  keepData: false,
  undoDays: 1,
  logDays: 7,
  availabilityZones: 3,
};

const PRODUCTION: StageSettings = {
  ...PERSONAL,
  tuner: { ...PERSONAL.tuner, maxVcpus: 64, capacity: ['SPOT', 'EC2'], maxHours: 12 },
  alarms: { slowMs: 2000, monthlyBudgetUsd: 500 },
  keepData: true,
  undoDays: 14,
  logDays: 90,
};

const STAGES: Readonly<Record<string, StageSettings>> = {
  production: PRODUCTION,
  /** Production for steady traffic; needs a domain of yours. */
  steady: {
    ...PRODUCTION,
    api: {
      host: 'service',
      domain: 'polyprompt.example.com',
      cpu: '4 vCPU',
      memoryGb: 8,
      architecture: 'x86_64',
      minTasks: 2,
      maxTasks: 20,
    },
  },
};

export function settingsOf(stage: string): StageSettings {
  const settings = STAGES[stage] ?? PERSONAL;
  const problems = problemsOf(settings);
  if (problems.length === 0) return settings;
  throw new SettingsError(`stage "${stage}" in stacks/settings.ts:\n${problems.join('\n')}`);
}

/** A setting that AWS would refuse only after it has made half of a stage. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly code = 'bad_setting';
}

/** What is wrong with settings; empty if nothing is. */
export function problemsOf(settings: StageSettings): string[] {
  const { api, tuner, alarms } = settings;
  const problems: string[] = [];
  const within = (name: string, value: number, min: number, max: number) => {
    if (Number.isInteger(value) && value >= min && value <= max) return;
    problems.push(`${name} is ${value}; it must be a whole number from ${min} to ${max}`);
  };
  if (api.host === 'lambda') {
    within('api.memoryMb', api.memoryMb, 128, 10_240);
    within('api.timeoutSeconds', api.timeoutSeconds, 1, 900);
    within('api.diskMb', api.diskMb, 512, 10_240);
    if (api.maxInstances !== undefined) within('api.maxInstances', api.maxInstances, 1, 100_000);
  } else {
    within('api.minTasks', api.minTasks, 1, 1000);
    within('api.maxTasks', api.maxTasks, api.minTasks, 5000);
  }
  // Less than one job's worth, and every job would wait for ever.
  within('tuner.maxVcpus', tuner.maxVcpus, VCPUS_PER_JOB, 10_000);
  within('tuner.maxHours', tuner.maxHours, 1, 14 * 24);
  within('undoDays', settings.undoDays, 1, 3650);
  within('availabilityZones', settings.availabilityZones, api.host === 'service' ? 2 : 1, 6);
  for (const type of tuner.instanceTypes) {
    if (/^(g4dn|g5|g6|g6e)\.\d*xlarge$/.test(type)) continue;
    problems.push(
      `tuner.instanceTypes has ${type}; each must be a g4dn, g5, g6 or g6e, which have an NVIDIA GPU`,
    );
  }
  if (tuner.instanceTypes.length === 0) problems.push('tuner.instanceTypes is empty');
  if (tuner.capacity.length === 0) problems.push('tuner.capacity is empty; name SPOT, EC2 or both');
  if (alarms.email !== undefined && !/^\S+@\S+$/.test(alarms.email)) {
    problems.push(`alarms.email is ${JSON.stringify(alarms.email)}; it must be an address`);
  }
  return problems;
}

/** What one job asks of its machine; all instance types above have it. */
export const VCPUS_PER_JOB = 4;
