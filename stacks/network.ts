/// <reference path="../.sst/platform/config.d.ts" />
import type { StageSettings } from './settings.ts';

const CIDR = '10.0.0.0/16';

/**
 * Public subnets without a NAT gateway: nothing here costs money while nothing runs. Machines get an
 * address to reach AWS with, and no one reaches them; S3 is reached without leaving AWS's network. SST's
 * own Vpc brings a private DNS zone, which is billed by the month.
 */
export function network({ availabilityZones }: StageSettings) {
  const vpc = new aws.ec2.Vpc('Net', { cidrBlock: CIDR, enableDnsHostnames: true });
  const gateway = new aws.ec2.InternetGateway('NetGateway', { vpcId: vpc.id });
  const routes = new aws.ec2.RouteTable('NetRoutes', {
    vpcId: vpc.id,
    routes: [{ cidrBlock: '0.0.0.0/0', gatewayId: gateway.id }],
  });
  const zones = aws.getAvailabilityZonesOutput({
    state: 'available',
    // Not the local and wavelength zones, which have no GPUs to speak of.
    filters: [{ name: 'opt-in-status', values: ['opt-in-not-required'] }],
  });
  const subnets = Array.from({ length: availabilityZones }, (_, i) => {
    const subnet = new aws.ec2.Subnet(`NetPublic${i}`, {
      vpcId: vpc.id,
      cidrBlock: `10.0.${16 * i}.0/20`,
      availabilityZone: zones.names.apply((names) => zoneAt(names, i)),
      mapPublicIpOnLaunch: true,
    });
    new aws.ec2.RouteTableAssociation(`NetPublicRoutes${i}`, {
      subnetId: subnet.id,
      routeTableId: routes.id,
    });
    return subnet.id;
  });
  new aws.ec2.VpcEndpoint('NetS3', {
    vpcId: vpc.id,
    serviceName: aws.getRegionOutput().apply(({ region }) => `com.amazonaws.${region}.s3`),
    vpcEndpointType: 'Gateway',
    routeTableIds: [routes.id],
  });
  return { id: vpc.id, subnets };
}

/** A group that lets everything out, and in what the network itself sends to `port`, if given. */
export function securityGroup(name: string, { id }: Network, port?: number) {
  return new aws.ec2.SecurityGroup(name, {
    vpcId: id,
    ingress:
      port === undefined
        ? []
        : [{ protocol: 'tcp', fromPort: port, toPort: port, cidrBlocks: [CIDR] }],
    egress: [{ protocol: '-1', fromPort: 0, toPort: 0, cidrBlocks: ['0.0.0.0/0'] }],
  });
}

function zoneAt(names: readonly string[], i: number): string {
  const name = names[i];
  if (name !== undefined) return name;
  throw new Error(
    `the region has ${names.length} availability zones; lower availabilityZones in stacks/settings.ts`,
  );
}

export type Network = ReturnType<typeof network>;
