/** Which version of a split a caller gets. */
import { createHash } from 'node:crypto';
import type { AliasTarget } from './document.ts';

const TWO_TO_32 = 2 ** 32;

/** A point in [0, 1) that is a caller's own for one alias: the same callers are not everywhere the first to try. */
export function pointOf(aliasKey: string, splitKey: string): number {
  return (
    createHash('sha256').update(`${aliasKey}\n${splitKey}`).digest().readUInt32BE() / TWO_TO_32
  );
}

/**
 * The version at `point`. The shares lie side by side in their order, so a canary at the end that grows from 10 to
 * 20 percent keeps the callers that it has.
 */
export function choose(target: AliasTarget, point: number): number {
  if ('version' in target) return target.version;
  let edge = 0;
  for (const { version, weight } of target.split) {
    edge += weight;
    if (point * 100 < edge) return version;
  }
  return target.split.at(-1)!.version;
}
