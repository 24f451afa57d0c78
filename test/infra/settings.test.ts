import { describe, expect, it } from 'vitest';
import { problemsOf, type StageSettings, settingsOf } from '../../stacks/settings.ts';

const good = settingsOf('production');
const withTuner = (tuner: Partial<StageSettings['tuner']>) => ({
  ...good,
  tuner: { ...good.tuner, ...tuner },
});
const withApi = (api: object) => ({ ...good, api: { ...good.api, ...api } }) as StageSettings;

describe('the settings of a stage', () => {
  it('are there for every stage, kept apart from production', () => {
    for (const stage of ['production', 'steady', 'somebody']) {
      expect(problemsOf(settingsOf(stage))).toEqual([]);
    }
    expect(settingsOf('somebody')).toEqual(settingsOf('somebody-else'));
    expect(settingsOf('somebody').keepData).toBe(false);
    expect(settingsOf('production').keepData).toBe(true);
  });

  it.each<[string, StageSettings]>([
    [
      'api.memoryMb is 20000; it must be a whole number from 128 to 10240',
      withApi({ memoryMb: 20_000 }),
    ],
    [
      'api.timeoutSeconds is 1000; it must be a whole number from 1 to 900',
      withApi({ timeoutSeconds: 1000 }),
    ],
    ['api.diskMb is 100; it must be a whole number from 512 to 10240', withApi({ diskMb: 100 })],
    [
      'api.maxInstances is 0; it must be a whole number from 1 to 100000',
      withApi({ maxInstances: 0 }),
    ],
    [
      'api.maxTasks is 2; it must be a whole number from 3 to 5000',
      withApi({ host: 'service', minTasks: 3, maxTasks: 2 }),
    ],
    ['tuner.maxVcpus is 2; it must be a whole number from 4 to 10000', withTuner({ maxVcpus: 2 })],
    [
      'tuner.maxHours is 1.5; it must be a whole number from 1 to 336',
      withTuner({ maxHours: 1.5 }),
    ],
    [
      'tuner.instanceTypes has p3.2xlarge; each must be a g4dn, g5, g6 or g6e, which have an NVIDIA GPU',
      withTuner({ instanceTypes: ['g5.xlarge', 'p3.2xlarge'] }),
    ],
    ['tuner.instanceTypes is empty', withTuner({ instanceTypes: [] })],
    ['tuner.capacity is empty; name SPOT, EC2 or both', withTuner({ capacity: [] })],
    [
      'alarms.email is "nobody"; it must be an address',
      { ...good, alarms: { ...good.alarms, email: 'nobody' } },
    ],
    ['undoDays is 0; it must be a whole number from 1 to 3650', { ...good, undoDays: 0 }],
  ])('that AWS would refuse are refused before: %s', (problem, settings) => {
    expect(problemsOf(settings)).toEqual([problem]);
  });

  it('for a load balancer need two zones', () => {
    const one = { ...settingsOf('steady'), availabilityZones: 1 };
    expect(problemsOf(one)).toEqual([
      'availabilityZones is 1; it must be a whole number from 2 to 6',
    ]);
    expect(problemsOf({ ...good, availabilityZones: 1 })).toEqual([]);
  });
});
