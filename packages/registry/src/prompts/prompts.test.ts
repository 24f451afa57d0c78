import { promptKeys } from '@polyprompt/storage';
import { describe, expect, it } from 'vitest';
import { createRegistry } from '../registry.ts';
import { all, ROUGH, samplePrompt, testRegistry } from '../test-registry.ts';

const me = { actor: 'key-1' };
const production = { name: 'topics', target: { alias: 'production' } };
const at = (version: number) => ({ name: 'topics', target: { version } });

async function withVersions(count: number, options: Parameters<typeof testRegistry>[0] = {}) {
  const test = await testRegistry(options);
  for (let i = 1; i <= count; i++)
    await test.prompts.publish('acme', 'topics', samplePrompt(i), me);
  return test;
}

describe('publishing', () => {
  it('stores what is read back, and makes the first version production', async () => {
    const { prompts, clock } = await testRegistry();
    const packed = samplePrompt();
    const record = await prompts.publish('acme', 'topics', packed, { ...me, job: 'ftjob-1' });
    expect(record).toMatchObject({
      version: 1,
      created: clock.now(),
      job: 'ftjob-1',
      bytes: packed.prompt.length,
      task: 'text-classification',
      backbone: 'mini',
    });
    expect(await prompts.resolve('acme', production)).toEqual({
      ...record,
      tenant: 'acme',
      name: 'topics',
      alias: 'production',
    });
    const read = await prompts.read('acme', 'topics', 1);
    expect([...read.prompt]).toEqual([...packed.prompt]);
    expect([...read.card]).toEqual([...packed.card]);
    expect(await prompts.version('acme', 'topics', 1)).toMatchObject({
      ...record,
      name: 'topics',
      aliases: ['production'],
      card: { labels: ['bad', 'good'], prompt: { hash: record.hash } },
    });
  });

  it('moves the alias asked for, at the same time', async () => {
    const { prompts } = await withVersions(1);
    await prompts.publish('acme', 'topics', samplePrompt(2), { ...me, activate: 'production' });
    await prompts.publish('acme', 'topics', samplePrompt(3), { ...me, activate: 'staging' });
    await prompts.publish('acme', 'topics', samplePrompt(4), me);
    expect(await prompts.get('acme', 'topics')).toMatchObject({
      latest: 4,
      aliases: { production: { version: 2 }, staging: { version: 3 } },
    });
  });

  it('twice for one job gives one version, also at the same time and with another card', async () => {
    const { prompts, another } = await withVersions(1);
    const options = { ...me, job: 'ftjob-1' };
    const again = samplePrompt(2, '2026-11-22T00:00:00.000Z');
    const records = await Promise.all([
      prompts.publish('acme', 'topics', samplePrompt(2), options),
      another().prompts.publish('acme', 'topics', again, options),
      another().prompts.publish('acme', 'topics', samplePrompt(3), options),
    ]);
    records.push(await another().prompts.publish('acme', 'topics', again, options));
    const { versions, latest } = await prompts.get('acme', 'topics');
    expect(versions).toHaveLength(2);
    for (const record of records) expect(record).toEqual(versions[0]);
    const info = await prompts.version('acme', 'topics', latest);
    expect(info.card.prompt.hash).toBe(info.hash);
  });

  it('at the same time gives every publisher a version of its own', async () => {
    const { prompts, another } = await testRegistry();
    const publishers = [prompts, another().prompts, another().prompts];
    const records = await Promise.all(
      Array.from({ length: 9 }, (_, i) =>
        publishers[i % 3]!.publish('acme', 'topics', samplePrompt(i % 4), {
          ...me,
          job: i % 2 ? `ftjob-${i}` : null,
        }),
      ),
    );
    const numbers = records.map(({ version }) => version);
    expect(new Set(numbers).size).toBe(9);
    const page = await prompts.versions('acme', 'topics', { limit: 20 });
    expect(page.items.map(({ version }) => version)).toEqual(numbers.toSorted((a, b) => b - a));
    for (const [i, { version }] of records.entries()) {
      const { prompt } = await prompts.read('acme', 'topics', version);
      expect([...prompt]).toEqual([...samplePrompt(i % 4).prompt]);
    }
  });

  it('that was interrupted is completed by the next attempt, under the same number', async () => {
    const { prompts, faults } = await testRegistry({ maxAttempts: 1 });
    const options = { ...me, job: 'ftjob-1' };
    for (const skip of [1, 2]) {
      // The artifact is stored; then the card, or the document, cannot be.
      faults.script('internalError', { operation: 'PutObject', skip });
      await expect(
        prompts.publish('acme', 'topics', samplePrompt(), options),
      ).rejects.toMatchObject({ code: 'unavailable' });
      faults.clear();
      await expect(prompts.resolve('acme', production)).rejects.toMatchObject({
        code: 'prompt_not_found',
      });
      expect((await prompts.list('acme', { limit: 5 })).items).toEqual([]);
    }
    expect((await prompts.publish('acme', 'topics', samplePrompt(), options)).version).toBe(1);
  });

  it('does not touch what another attempt left in the slot', async () => {
    const { prompts, storage } = await withVersions(1);
    const left = promptKeys('acme', 'topics').version(2);
    await storage.blobs.create(left.artifact, samplePrompt(8).prompt);
    const { version } = await prompts.publish('acme', 'topics', samplePrompt(9), me);
    expect(version).toBe(3);
    await expect(prompts.resolve('acme', at(2))).rejects.toMatchObject({
      code: 'version_not_found',
    });
  });

  it('refuses damaged files and bad names', async () => {
    const { prompts, storage } = await testRegistry();
    const packed = samplePrompt();
    const prompt = Uint8Array.from(packed.prompt);
    prompt[prompt.length - 1]! ^= 1;
    await expect(
      prompts.publish('acme', 'topics', { ...packed, prompt }, me),
    ).rejects.toMatchObject({ code: 'bad_archive', message: expect.stringContaining('damaged') });
    for (const name of ['', '../x', 'a/b', '.hidden', 'x'.repeat(129)])
      await expect(prompts.publish('acme', name, packed, me)).rejects.toMatchObject({
        code: 'bad_value',
      });
    for (const activate of ['7', 'a b'])
      await expect(
        prompts.publish('acme', 'topics', packed, { ...me, activate }),
      ).rejects.toMatchObject({ code: 'bad_value' });
    expect(await all(storage.list('tenants/'))).toEqual([]);
  });
});

describe('an alias', () => {
  it('that moves is seen at once here, and in another process within a second', async () => {
    const { prompts, another, clock } = await withVersions(2);
    const elsewhere = another().prompts;
    expect((await elsewhere.resolve('acme', production)).version).toBe(1);
    await prompts.setAlias('acme', 'topics', 'production', { version: 2 }, me);
    expect((await prompts.resolve('acme', production)).version).toBe(2);
    clock.advance(1000);
    expect((await elsewhere.resolve('acme', production)).version).toBe(2);
    const back = await elsewhere.rollback('acme', 'topics', 'production', me);
    expect(back.target).toEqual({ version: 1 });
    expect((await elsewhere.resolve('acme', production)).version).toBe(1);
    clock.advance(1000);
    expect((await prompts.resolve('acme', production)).version).toBe(1);
  });

  it('moves only if nothing has changed, where that is asked for', async () => {
    const { prompts, another } = await withVersions(2);
    const { revision } = await prompts.get('acme', 'topics');
    const moves = await Promise.allSettled(
      [prompts, another().prompts, another().prompts].map((each, i) =>
        each.setAlias('acme', 'topics', `a${i}`, { version: 2 }, { ...me, expected: revision }),
      ),
    );
    const won = moves.filter(({ status }) => status === 'fulfilled');
    expect(won).toHaveLength(1);
    for (const move of moves) {
      if (move.status === 'rejected') expect(move.reason).toMatchObject({ code: 'alias_conflict' });
      else expect(move.value.revision).toBe(revision + 1);
    }
    const { aliases } = await prompts.get('acme', 'topics');
    expect(Object.keys(aliases)).toHaveLength(2);
    const stale = { ...me, expected: revision };
    for (const act of [
      () => prompts.deleteAlias('acme', 'topics', 'production', stale),
      () => prompts.rollback('acme', 'topics', 'production', stale),
      () => prompts.removeVersion('acme', 'topics', 1, stale),
    ])
      await expect(act()).rejects.toMatchObject({ code: 'alias_conflict' });
  });

  it('splits traffic by the caller’s key, or by chance without one', async () => {
    const { prompts } = await withVersions(2);
    const split = [
      { version: 1, weight: 50 },
      { version: 2, weight: 50 },
    ];
    await prompts.setAlias('acme', 'topics', 'production', { split }, me);
    const versions = async (key?: string) =>
      new Set(
        await Promise.all(
          Array.from(
            { length: 40 },
            async () => (await prompts.resolve('acme', production, key)).version,
          ),
        ),
      );
    expect(await versions()).toEqual(new Set([1, 2]));
    expect((await versions('user-1')).size).toBe(1);
  });

  it('must lead to versions that exist, in shares of 100', async () => {
    const { prompts } = await withVersions(2);
    const share = (version: number, weight: number) => ({ version, weight });
    for (const [target, code] of [
      [{ version: 3 }, 'version_not_found'],
      [{ split: [share(1, 50), share(3, 50)] }, 'version_not_found'],
      [{ split: [share(1, 50), share(2, 40)] }, 'bad_value'],
      [{ split: [share(1, 50), share(1, 50)] }, 'bad_value'],
    ] as const)
      await expect(
        prompts.setAlias('acme', 'topics', 'production', structuredClone(target) as never, me),
      ).rejects.toMatchObject({ code });
    const split = [share(1, 50), share(2, 40)];
    await expect(prompts.setAlias('acme', 'topics', 'production', { split }, me)).rejects.toThrow(
      'cannot point there: the weights must add up to 100',
    );
    await expect(prompts.setAlias('acme', 'topics', '7', { version: 1 }, me)).rejects.toMatchObject(
      {
        code: 'bad_value',
      },
    );
  });

  it('or version or prompt that does not exist is named', async () => {
    const { prompts } = await withVersions(1);
    for (const [ref, code, message] of [
      [{ name: 'other', target: { alias: 'production' } }, 'prompt_not_found', '"other"'],
      [{ name: '../../keys', target: { version: 1 } }, 'prompt_not_found', 'keys'],
      [
        { name: 'topics', target: { alias: 'constructor' } },
        'alias_not_found',
        'it has: production',
      ],
      [at(9), 'version_not_found', 'the newest is 1'],
    ] as const) {
      const failure = { code, message: expect.stringContaining(message) };
      await expect(prompts.resolve('acme', ref)).rejects.toMatchObject(failure);
    }
    await expect(prompts.resolve('other', production)).rejects.toMatchObject({
      code: 'prompt_not_found',
    });
  });
});

describe('deletion', () => {
  it('is refused while an alias points to the version, and then leaves nothing', async () => {
    const { prompts, another, storage, clock } = await withVersions(2);
    const elsewhere = another().prompts;
    await elsewhere.resolve('acme', at(1));
    await expect(prompts.removeVersion('acme', 'topics', 1, me)).rejects.toMatchObject({
      code: 'prompt_in_use',
      message: expect.stringContaining('production'),
    });
    await prompts.setAlias('acme', 'topics', 'production', { version: 2 }, me);
    await prompts.removeVersion('acme', 'topics', 1, me);
    clock.advance(1000);
    for (const each of [prompts, elsewhere])
      await expect(each.resolve('acme', at(1))).rejects.toMatchObject({
        code: 'version_not_found',
      });
    expect(await all(storage.list(promptKeys('acme', 'topics').version(1).folder))).toEqual([]);
    await expect(prompts.rollback('acme', 'topics', 'production', me)).rejects.toMatchObject({
      code: 'version_not_found',
    });
  });

  it('never races an alias into nothing', async () => {
    const { prompts, another } = await withVersions(2);
    const elsewhere = another().prompts;
    for (let round = 0; round < 5; round++) {
      const { version } = await prompts.publish('acme', 'topics', samplePrompt(round + 10), me);
      await Promise.allSettled([
        prompts.setAlias('acme', 'topics', 'staging', { version }, me),
        elsewhere.removeVersion('acme', 'topics', version, me),
      ]);
      const { aliases } = await prompts.get('acme', 'topics');
      const staging = { name: 'topics', target: { alias: 'staging' } };
      if (aliases.staging) {
        const aimed = await another().prompts.resolve('acme', staging);
        await prompts.read('acme', 'topics', aimed.version);
        await prompts.deleteAlias('acme', 'topics', 'staging', me);
      }
    }
  });

  it('of a prompt needs its aliases gone; its numbers are not used again', async () => {
    const { prompts, storage } = await withVersions(2);
    await expect(prompts.remove('acme', 'topics', me)).rejects.toMatchObject({
      code: 'prompt_in_use',
    });
    await prompts.deleteAlias('acme', 'topics', 'production', me);
    await prompts.remove('acme', 'topics', me);
    expect((await prompts.list('acme', { limit: 5 })).items).toEqual([]);
    for (const act of [() => prompts.get('acme', 'topics'), () => prompts.resolve('acme', at(2))])
      await expect(act()).rejects.toMatchObject({ code: 'prompt_not_found' });
    expect(await all(storage.list(promptKeys('acme', 'topics').versions))).toEqual([]);
    expect((await prompts.publish('acme', 'topics', samplePrompt(1), me)).version).toBe(3);
    expect((await prompts.resolve('acme', production)).version).toBe(3);
  });

  it('that was interrupted is completed by the next change', async () => {
    const { prompts, storage, faults } = await withVersions(3, { maxAttempts: 1 });
    faults.script('internalError', { operation: 'DeleteObject' });
    await expect(prompts.removeVersion('acme', 'topics', 2, me)).rejects.toMatchObject({
      code: 'unavailable',
    });
    await expect(prompts.resolve('acme', at(2))).rejects.toMatchObject({
      code: 'version_not_found',
    });
    await prompts.setAlias('acme', 'topics', 'production', { version: 3 }, me);
    expect(await all(storage.list(promptKeys('acme', 'topics').version(2).folder))).toEqual([]);
  });
});

describe('the removal of a prompt that was interrupted', () => {
  const interrupted = async () => {
    const test = await withVersions(2, { maxAttempts: 1 });
    await test.prompts.deleteAlias('acme', 'topics', 'production', me);
    test.faults.script('internalError', { operation: 'DeleteObject' });
    await expect(test.prompts.remove('acme', 'topics', me)).rejects.toMatchObject({
      code: 'unavailable',
    });
    const left = async () => all(test.storage.list(promptKeys('acme', 'topics').versions));
    expect(await left()).not.toEqual([]);
    return { ...test, left };
  };

  it('is completed when it is repeated', async () => {
    const { prompts, left } = await interrupted();
    await expect(prompts.remove('acme', 'topics', me)).rejects.toMatchObject({
      code: 'prompt_not_found',
    });
    expect(await left()).toEqual([]);
  });

  it('is completed by a listing, which does not fail where it cannot', async () => {
    const { prompts, left, faults } = await interrupted();
    faults.script('internalError', { operation: 'DeleteObject' });
    expect((await prompts.list('acme', { limit: 5 })).items).toEqual([]);
    expect(await left()).not.toEqual([]);
    expect((await prompts.list('acme', { limit: 5 })).items).toEqual([]);
    expect(await left()).toEqual([]);
  });
});

describe('listing', () => {
  it('reaches what lies behind any number of removed prompts', async () => {
    const { storage, queue, clock } = await withVersions(1);
    const many: typeof storage = {
      ...storage,
      async *listFolders(folder, options) {
        for (let i = 0; i < 2100; i++) yield `removed-${i}`;
        yield* storage.listFolders(folder, options);
      },
    };
    const { prompts } = createRegistry({ storage: many, queue, clock });
    const page = await prompts.list('acme', { limit: 5 });
    expect([page.items.map(({ name }) => name), page.hasMore]).toEqual([['topics'], false]);
  });

  it('gives prompts by name and versions newest first, page by page', async () => {
    const { prompts } = await withVersions(3);
    for (const name of ['ner', 'topics-2', 'a.b'])
      await prompts.publish('acme', name, samplePrompt(), me);
    const names: string[] = [];
    for (let after: string | undefined, more = true; more; after = names.at(-1)) {
      const page = await prompts.list('acme', { limit: 1, after });
      names.push(...page.items.map(({ name }) => name));
      more = page.hasMore;
    }
    expect(names).toEqual(['a.b', 'ner', 'topics-2', 'topics']);
    const first = await prompts.versions('acme', 'topics', { limit: 2 });
    expect(first.items.map(({ version }) => version)).toEqual([3, 2]);
    const rest = await prompts.versions('acme', 'topics', { limit: 2, after: 2 });
    expect([rest.items.map(({ version }) => version), rest.hasMore]).toEqual([[1], false]);
  });

  it('gives the whole history however long, newest first', async () => {
    const { prompts, storage } = await withVersions(2);
    for (let i = 0; i < 200; i++) {
      const version = 2 - (i % 2);
      await prompts.setAlias('acme', 'topics', 'production', { version }, { actor: `key-${i}` });
    }
    const seen = [];
    for (let after: number | undefined, more = true; more; after = seen.at(-1)?.sequence) {
      const page = await prompts.history('acme', 'topics', { limit: 30, after });
      seen.push(...page.items);
      more = page.hasMore;
    }
    const { revision } = await prompts.get('acme', 'topics');
    expect(seen.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: revision }, (_, i) => revision - i),
    );
    expect(seen[0]).toMatchObject({
      action: 'move_alias',
      actor: 'key-199',
      alias: 'production',
      from: { version: 2 },
      to: { version: 1 },
    });
    expect(seen.at(-1)).toMatchObject({ action: 'publish', version: 1 });
    const stored = await storage.blobs.read(promptKeys('acme', 'topics').document);
    expect(JSON.parse(String(stored)).value.history.length).toBeLessThan(128);
  });
});

describe('an exported version', () => {
  it('is imported elsewhere, byte for byte', async () => {
    const { prompts } = await withVersions(2);
    const files = await prompts.exportVersion('acme', 'topics', 2);
    const imported = await prompts.importVersion('other', files, { ...me, activate: 'staging' });
    expect(imported).toMatchObject({ name: 'topics', version: 1, job: null });
    const renamed = await prompts.importVersion('other', files, { ...me, name: 'copy' });
    for (const { name, version } of [imported, renamed]) {
      const { prompt } = await prompts.read('other', name, version);
      expect([...prompt]).toEqual([...samplePrompt(2).prompt]);
    }
    expect(Object.keys((await prompts.get('other', 'topics')).aliases)).toEqual([
      'production',
      'staging',
    ]);
    await expect(prompts.exportVersion('acme', 'topics', 9)).rejects.toMatchObject({
      code: 'version_not_found',
    });
  });

  it('needs a name from somewhere', async () => {
    const { prompts } = await testRegistry();
    const { prompt, card } = samplePrompt();
    const files = { 'prompt.safetensors': prompt, 'card.json': card };
    await expect(prompts.importVersion('acme', files, me)).rejects.toMatchObject({
      code: 'bad_value',
    });
  });
});

describe('with 5 % of all calls failing in each way', () => {
  it('versions and aliases come out right', async () => {
    const { prompts, another, faults } = await testRegistry({ seed: 21 });
    faults.set(ROUGH);
    const elsewhere = another().prompts;
    await Promise.all(
      [1, 2, 3, 4].map((job) =>
        (job % 2 ? prompts : elsewhere).publish('acme', 'topics', samplePrompt(job), {
          ...me,
          job: `ftjob-${job}`,
        }),
      ),
    );
    const { versions } = await prompts.get('acme', 'topics');
    for (const { version } of versions) {
      const moved = await prompts.setAlias('acme', 'topics', 'production', { version }, me);
      expect(moved.target).toEqual({ version });
      expect((await prompts.resolve('acme', production)).version).toBe(version);
    }
    faults.clear();
    expect(versions.map(({ job }) => job).toSorted()).toEqual(
      [1, 2, 3, 4].map((i) => `ftjob-${i}`),
    );
    const page = await prompts.history('acme', 'topics', { limit: 100 });
    const published = page.items.filter(({ action }) => action === 'publish');
    expect(published).toHaveLength(4);
  });
});
