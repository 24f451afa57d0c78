/** What AWS would have answered: ids, ARNs and what data sources compute, made up but consistent. */
import type { Resource } from './evaluation.ts';

export const ACCOUNT = '123456789012';
export const REGION = 'us-east-1';

interface Made {
  readonly id: string;
  readonly state: Readonly<Record<string, unknown>>;
}

/** The state of a new resource. Names are the logical ones, so that they can be recognised. */
export function create({ type, name, inputs }: Omit<Resource, 'id'>): Made {
  const [, module = ''] = type.split(':');
  const [service = '', kind = ''] = module.split('/');
  const physical = type === 'aws:s3/bucket:Bucket' ? name : (inputs.name ?? name);
  const state = { ...inputs, name: physical, arn: arnOf(service, kind, physical) };
  switch (type) {
    case 'aws:s3/bucket:Bucket':
      return made(name, { ...state, bucket: physical });
    case 'aws:sqs/queue:Queue': {
      const url = `https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/${physical}`;
      return { id: url, state: { ...state, url } };
    }
    case 'aws:lambda/functionUrl:FunctionUrl':
      return made(name, { ...state, functionUrl: `https://x.lambda-url.${REGION}.on.aws/` });
    case 'aws:lb/loadBalancer:LoadBalancer':
      return made(name, {
        ...state,
        arnSuffix: `app/${physical}/0`,
        dnsName: 'lb.aws',
        zoneId: 'Z0',
      });
    case 'aws:acm/certificate:Certificate':
      return made(name, {
        ...state,
        domainValidationOptions: [
          {
            domainName: inputs.domainName,
            resourceRecordName: '_x',
            resourceRecordType: 'CNAME',
            resourceRecordValue: '_y',
          },
        ],
      });
    case 'aws:acm/certificateValidation:CertificateValidation':
      return made(name, { ...state, certificateArn: inputs.certificateArn });
    case 'aws:ecr/repository:Repository':
      return made(name, {
        ...state,
        registryId: ACCOUNT,
        repositoryUrl: `${ACCOUNT}.dkr.ecr.${REGION}.amazonaws.com/${physical}`,
      });
    case 'docker-build:index:Image':
      return made(name, { ...state, ref: `${inputs.tags?.[0]}@sha256:${'0'.repeat(64)}` });
    case 'random:index/randomBytes:RandomBytes':
      return made(name, { ...state, base64: Buffer.alloc(inputs.length).toString('base64') });
    default:
      return made(name, state);
  }
}

function made(name: string, state: Made['state']): Made {
  return { id: `${name}-id`, state };
}

function arnOf(service: string, kind: string, name: string): string {
  switch (service) {
    case 's3':
      return `arn:aws:s3:::${name}`;
    case 'iam':
      return `arn:aws:iam::${ACCOUNT}:${kind}/${name}`;
    case 'cloudwatch':
      return kind === 'logGroup'
        ? `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${name}`
        : `arn:aws:events:${REGION}:${ACCOUNT}:rule/${name}`;
    default:
      return `arn:aws:${service}:${REGION}:${ACCOUNT}:${name}`;
  }
}

/** What a function of the provider returns. @throws for one that nobody has asked for yet */
export function answer({ token, inputs }: { token: string; inputs: Resource['inputs'] }): object {
  switch (token) {
    case 'aws:index/getRegion:getRegion':
      return { id: REGION, name: REGION, region: REGION };
    case 'aws:index/getPartition:getPartition':
      return { id: 'aws', partition: 'aws', dnsSuffix: 'amazonaws.com' };
    case 'aws:index/getCallerIdentity:getCallerIdentity':
      return { id: ACCOUNT, accountId: ACCOUNT, arn: `arn:aws:iam::${ACCOUNT}:root` };
    case 'aws:index/getAvailabilityZones:getAvailabilityZones':
      return { names: ['a', 'b', 'c'].map((zone) => REGION + zone), zoneIds: ['1', '2', '3'] };
    case 'aws:ecr/getAuthorizationToken:getAuthorizationToken':
      return { proxyEndpoint: 'ecr.mock', userName: 'AWS', password: 'mock' };
    case 'aws:route53/getZone:getZone':
      return { ...inputs, id: 'Z1', zoneId: 'Z1', name: inputs.name };
    case 'aws:iam/getPolicyDocument:getPolicyDocument':
      return { ...inputs, json: policyOf(inputs) };
    default:
      throw new Error(`mock-aws.ts has no answer to ${token}`);
  }
}

interface PolicyInput {
  readonly effect?: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly principals?: readonly { type: string; identifiers: readonly string[] }[];
  readonly conditions?: readonly { test: string; variable: string; values: readonly string[] }[];
}

/** As the data source renders it. */
function policyOf({ statements = [] }: { statements?: readonly PolicyInput[] }): string {
  const Statement = statements.map(({ effect, actions, resources, principals, conditions }) => ({
    Effect: effect ?? 'Allow',
    ...(principals && { Principal: principalOf(principals) }),
    Action: actions,
    Resource: resources,
    ...(conditions && {
      Condition: Object.fromEntries(
        conditions.map(({ test, variable, values }) => [test, { [variable]: values }]),
      ),
    }),
  }));
  return JSON.stringify({ Version: '2012-10-17', Statement });
}

function principalOf(principals: NonNullable<PolicyInput['principals']>): unknown {
  if (principals.some(({ type }) => type === '*')) return '*';
  return Object.fromEntries(principals.map(({ type, identifiers }) => [type, identifiers]));
}
