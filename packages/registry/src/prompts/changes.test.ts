import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RegistryError } from '../errors.ts';
import {
  addVersion,
  dropAlias,
  dropAllVersions,
  dropVersion,
  moveAlias,
  rollBack,
} from './changes.ts';
import { type AliasTarget, PromptState, type VersionRecord, versionsOf } from './document.ts';

const context = { name: 'topics', actor: 'key-1', now: 5 };

function record(version: number): VersionRecord {
  return { version, created: 1, job: null, hash: 'h', bytes: 1, task: 't', backbone: 'mini' };
}

function published(count: number): PromptState {
  let state: PromptState | undefined;
  for (let i = 1; i <= count; i++) state = addVersion(state, record(i), null, context);
  return state!;
}

const anyVersion = fc.integer({ min: 1, max: 6 });
const anyAlias = fc.constantFrom('production', 'staging', 'constructor');
const anyTarget: fc.Arbitrary<AliasTarget> = fc.oneof(
  anyVersion.map((version) => ({ version })),
  fc.tuple(anyVersion, anyVersion).map(([a, b]) => ({
    split: [
      { version: a, weight: 90 },
      { version: b === a ? a + 1 : b, weight: 10 },
    ],
  })),
);
type Step = (state: PromptState) => PromptState;
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.option(anyAlias).map(
    (activate): Step =>
      (s) =>
        addVersion(s, record(s.latest + 1), activate, context),
  ),
  fc.tuple(anyAlias, anyTarget).map(
    ([alias, target]): Step =>
      (s) =>
        moveAlias(s, alias, target, context),
  ),
  anyAlias.map(
    (alias): Step =>
      (s) =>
        rollBack(s, alias, context),
  ),
  anyAlias.map(
    (alias): Step =>
      (s) =>
        dropAlias(s, alias, context),
  ),
  anyVersion.map(
    (version): Step =>
      (s) =>
        dropVersion(s, version, context),
  ),
  fc.constant<Step>((s) => dropAllVersions(s, context)),
);

describe('whatever happens to a prompt', () => {
  it('aliases point to versions that exist, numbers are used once, history has no gap', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) => {
        let state = published(2);
        let highest = 2;
        for (const step of steps) {
          const before = structuredClone(state);
          try {
            const after = step(state);
            expect(state).toEqual(before);
            state = after;
          } catch (error) {
            expect(error).toBeInstanceOf(RegistryError);
            continue;
          }
          expect(PromptState.parse(state)).toEqual(state);
          for (const { target } of Object.values(state.aliases)) {
            for (const version of versionsOf(target))
              expect(state.versions).toHaveProperty(String(version));
          }
          expect(state.latest).toBeGreaterThanOrEqual(highest);
          highest = state.latest;
          for (const gone of state.trash) expect(state.versions).not.toHaveProperty(String(gone));
          expect(state.history.map(({ sequence }) => sequence)).toEqual(
            Array.from({ length: state.sequence }, (_, i) => i + 1),
          );
        }
      }),
    );
  });
});

describe('an alias', () => {
  it('is production for the first version, and moves only where it is told to', () => {
    expect(published(2).aliases).toMatchObject({ production: { target: { version: 1 } } });
    const activated = addVersion(published(1), record(2), 'staging', context);
    expect(activated.aliases).toMatchObject({
      production: { target: { version: 1 } },
      staging: { target: { version: 2 } },
    });
  });

  it('rolls back step by step', () => {
    let state = published(3);
    for (const version of [2, 3]) state = moveAlias(state, 'production', { version }, context);
    const targets = [3];
    for (let i = 0; i < 2; i++) {
      state = rollBack(state, 'production', context);
      targets.push(versionsOf(state.aliases.production!.target)[0]!);
    }
    expect(targets).toEqual([3, 2, 1]);
    expect(() => rollBack(state, 'production', context)).toThrow('has not pointed anywhere else');
    expect(state.history.at(-1)).toMatchObject({
      action: 'rollback',
      from: { version: 2 },
      to: { version: 1 },
    });
  });

  it('does not roll back to a version that was deleted', () => {
    const moved = moveAlias(published(2), 'production', { version: 2 }, context);
    const state = dropVersion(moved, 1, context);
    expect(() => rollBack(state, 'production', context)).toThrow('has no version 1');
  });

  it('that is set to where it points changes nothing', () => {
    const state = published(2);
    expect(moveAlias(state, 'production', { version: 1 }, context)).toBe(state);
  });

  it('keeps its versions from being deleted, also in a split', () => {
    const split = {
      split: [
        { version: 2, weight: 90 },
        { version: 3, weight: 10 },
      ],
    };
    const state = moveAlias(published(3), 'canary', split, context);
    for (const version of [1, 2, 3])
      expect(() => dropVersion(state, version, context)).toThrow(/the alias \w+ points to it/);
    expect(() => dropAllVersions(state, context)).toThrow('the aliases canary, production point');
  });
});

describe('a prompt', () => {
  it('that is made again counts on, and is new', () => {
    const gone = dropAllVersions(dropAlias(published(2), 'production', context), context);
    const again = addVersion(gone, record(3), null, { ...context, now: 9 });
    expect(again).toMatchObject({
      created: 9,
      latest: 3,
      aliases: { production: { target: { version: 3 } } },
    });
  });

  it('has a limit of versions and of aliases, which the error states', () => {
    const full = published(1000);
    expect(() => addVersion(full, record(1001), null, context)).toThrow('has 1000 versions');
    let state = published(1);
    for (let i = 0; i < 99; i++) state = moveAlias(state, `a${i}`, { version: 1 }, context);
    expect(() => moveAlias(state, 'one-more', { version: 1 }, context)).toThrow('100 aliases');
  });
});
