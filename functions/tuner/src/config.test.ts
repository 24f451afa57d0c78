import { describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';

const LEAST = { POLYPROMPT_BUCKET: 'state', POLYPROMPT_QUEUE: 'http://127.0.0.1:9/queue/jobs' };

describe('readConfig', () => {
  it('needs a bucket and a queue alone', () => {
    const config = readConfig({ ...LEAST, POLYPROMPT_THREADS: '', PATH: '/bin' });
    expect(config).toMatchObject({ bucket: 'state', graceSeconds: 25, job: undefined });
    expect(config.threads).toBeUndefined();
  });

  it('reads numbers, and the job by its parts', () => {
    const config = readConfig({
      ...LEAST,
      POLYPROMPT_JOB: 'acme/ftjob-1',
      POLYPROMPT_CHECKPOINT_SECONDS: '0.5',
    });
    expect(config.job).toEqual({ tenant: 'acme', jobId: 'ftjob-1' });
    expect(config.checkpointSeconds).toBe(0.5);
  });

  it('refuses every bad value at once, by name', () => {
    const read = () =>
      readConfig({
        POLYPROMPT_BUCKET: 'state',
        POLYPROMPT_JOB: 'acme',
        POLYPROMPT_THREADS: '0',
        POLYPROMPT_DEVICE: 'tpu',
      });
    expect(read).toThrow(/POLYPROMPT_QUEUE is not set/);
    expect(read).toThrow(/POLYPROMPT_JOB is "acme": must be "<tenant>\/<job id>"/);
    expect(read).toThrow(/POLYPROMPT_THREADS is "0": .*1/);
    expect(read).toThrow(/POLYPROMPT_DEVICE is "tpu": .*"auto"\|"cpu"\|"cuda"/);
  });
});
