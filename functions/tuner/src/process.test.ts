/** The tuner as a container runs it: one job from the environment, or the queue until it is empty. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isFinished } from '@polyprompt/registry';
import { afterAll, describe, expect, it } from 'vitest';
import { dataLines, testBackbone } from './testing/backbone.ts';
import { startService, TENANT } from './testing/service.ts';

const MAIN = join(import.meta.dirname, 'main.ts');
const { models } = testBackbone();
const workDir = mkdtempSync(join(tmpdir(), 'polyprompt-tuner-process-'));
afterAll(() => rmSync(workDir, { recursive: true, force: true }));

/** Runs the process to its end. */
async function run(env: Record<string, string>): Promise<number | null> {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = await once(child, 'exit');
  return code;
}

async function service() {
  const { endpoint, credentials, queueUrl, ...rest } = await startService({ models, workDir });
  const env = {
    POLYPROMPT_BUCKET: 'state',
    POLYPROMPT_QUEUE: queueUrl,
    POLYPROMPT_ENDPOINT: endpoint,
    POLYPROMPT_MODELS: models,
    POLYPROMPT_WORK: workDir,
    POLYPROMPT_DEVICE: 'cpu',
    POLYPROMPT_LOG_LEVEL: 'error',
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
  return { ...rest, env };
}

describe('the tuner process', () => {
  it('does the job of its environment and ends', async () => {
    const { env, upload, create, registry } = await service();
    const file = await upload(dataLines(24));
    const [asked, other] = [await create(file), await create(file)];
    expect(await run({ ...env, POLYPROMPT_JOB: `${TENANT}/${asked.id}` })).toBe(0);
    expect((await registry.jobs.get(TENANT, asked.id)).status).toBe('succeeded');
    expect(isFinished((await registry.jobs.get(TENANT, other.id)).status)).toBe(false);
  });

  it('does what the queue has and ends when nothing more comes', async () => {
    const { env, upload, create, registry } = await service();
    const file = await upload(dataLines(24));
    const jobs = [await create(file), await create(file)];
    expect(await run({ ...env, POLYPROMPT_IDLE_SECONDS: '1' })).toBe(0);
    for (const { id } of jobs) {
      expect((await registry.jobs.get(TENANT, id)).status).toBe('succeeded');
    }
  });
});
