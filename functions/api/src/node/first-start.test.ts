import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CARD_FILE, PROMPT_FILE } from '@polyprompt/prompts';
import { afterAll, describe, expect, it } from 'vitest';
import { testService } from '../testing/test-service.ts';
import { ensureAdminKey, ensureReadyPrompt } from './first-start.ts';

const { registry, publish, backbone, call } = await testService();
const folder = mkdtempSync(join(tmpdir(), 'polyprompt-ready-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a new service', () => {
  it('gets the prompt that ships, once, if it is for its backbone', async () => {
    expect(await ensureReadyPrompt(registry, backbone, folder)).toBeUndefined();
    await publish('elsewhere', 'source', { seed: 1 });
    const { prompt, card } = await registry.prompts.read('elsewhere', 'source', 1);
    writeFileSync(join(folder, PROMPT_FILE), prompt);
    writeFileSync(join(folder, CARD_FILE), card);
    const other = { ...backbone, fingerprint: `sha256:${'0'.repeat(64)}` };
    expect(await ensureReadyPrompt(registry, other, folder)).toBeUndefined();
    expect(await ensureReadyPrompt(registry, backbone, folder)).toBe('topics');
    expect(await ensureReadyPrompt(registry, backbone, folder)).toBe('topics');
    expect((await registry.prompts.get('default', 'topics')).latest).toBe(1);
  });

  it('keeps the prompts that it has instead', async () => {
    await publish('default', 'mine', { seed: 2 });
    await registry.prompts.deleteAlias('default', 'topics', 'production', { actor: 'test' });
    expect(await ensureReadyPrompt(registry, backbone, folder)).toBe('mine');
  });

  it('makes one key, or takes the one that was chosen, which can be added later', async () => {
    const made = await ensureAdminKey(registry, undefined);
    expect((await call(made!, 'GET', '/v1/keys')).status).toBe(200);
    expect(await ensureAdminKey(registry, undefined)).toBeUndefined();
    expect(await ensureAdminKey(registry, 'chosen-key')).toBe('chosen-key');
    expect((await call('chosen-key', 'GET', '/v1/keys')).status).toBe(200);
    await expect(ensureAdminKey(registry, 'short')).rejects.toMatchObject({ code: 'bad_secret' });
  });
});
