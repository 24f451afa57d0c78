/**
 * Loaded into a process before its own code (`NODE_OPTIONS=--import`): its time runs faster than the real one, so
 * that leases, visibility and waits before restarts run out soon. Processes that start with the same setting
 * agree on the time, as those do that were started before and after a kill.
 */
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import promises from 'node:timers/promises';

const ENV = 'TEST_CLOCK';

/** Environment of a process whose clock runs `speed` times as fast from now on. */
export function fastClock(speed: number): Record<string, string> {
  return {
    [ENV]: JSON.stringify({ speed, start: Date.now() }),
    NODE_OPTIONS: `--import=${import.meta.url}`,
  };
}

const setting = process.env[ENV];
if (setting !== undefined) speedUp(JSON.parse(setting));

function speedUp({ speed, start }: { speed: number; start: number }): void {
  const { now } = Date;
  const fastNow = () => Math.floor(start + (now() - start) * speed);
  const RealDate = Date;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, as) =>
      Reflect.construct(target, args.length === 0 ? [fastNow()] : args, as),
    get: (target, name) => (name === 'now' ? fastNow : Reflect.get(target, name)),
  });
  const elapsed = performance.now.bind(performance);
  performance.now = () => elapsed() * speed;

  for (const name of ['setTimeout', 'setInterval'] as const) {
    const real = timers[name] as (fire: () => void, ms?: number, ...rest: unknown[]) => unknown;
    const fast = (fire: () => void, ms = 0, ...rest: unknown[]) => real(fire, ms / speed, ...rest);
    Object.assign(timers, { [name]: fast });
    Object.assign(globalThis, { [name]: fast });
  }
  const sleep = promises.setTimeout;
  promises.setTimeout = (ms = 0, ...rest) => sleep(ms / speed, ...rest);
  syncBuiltinESMExports();
}
