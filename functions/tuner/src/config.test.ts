import { describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';

const LEAST = { POLYPROMPT_BUCKET: 'state', POLYPROMPT_QUEUE: 'http://127.0.0.1:9/queue/jobs' };

describe('readConfig', () => {
  it('needs a bucket and a queue alone', () => {
    const config = readConfig({ ...LEAST, POLYPROMPT_THREADS: '', PATH: '/bin' });
    expect(config).toMatchObject({ bucket: 'state', graceSeconds: 25, device: 'auto' });
    expect(config).toMatchObject({ leaseSeconds: 30, maxAttempts: 3 });
    expect(config.threads).toBeUndefined();
    expect(config.job).toBeUndefined();
  });

  it('reads numbers', () => {
    const config = readConfig({ ...LEAST, POLYPROMPT_CHECKPOINT_SECONDS: '0.5' });
    expect(config.checkpointSeconds).toBe(0.5);
  });

  it('refuses every bad value at once, by name', () => {
    const read = () =>
      readConfig({
        POLYPROMPT_BUCKET: 'state',
        POLYPROMPT_JOB: 'acme',
        POLYPROMPT_THREADS: '0',
        POLYPROMPT_DEVICE: 'tpu',
        POLYPROMPT_LEASE_SECONDS: '5',
      });
    expect(read).toThrow('POLYPROMPT_QUEUE is not set; it must be an http or https URL');
    expect(read).toThrow('POLYPROMPT_JOB is "acme"; it must be <tenant>/<job id>');
    expect(read).toThrow('POLYPROMPT_THREADS is "0"; it must be a whole number from 1 to 1024');
    expect(read).toThrow('POLYPROMPT_LEASE_SECONDS is "5"; it must be a whole number from 10');
    expect(read).toThrow('POLYPROMPT_DEVICE is "tpu"; it must be one of auto, cpu, cuda');
  });
});
