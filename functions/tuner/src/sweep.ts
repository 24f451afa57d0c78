/** The sweep of the store as a function on Lambda, called by a clock; where the API is a process it sweeps itself. */
import type { SweepOptions, SweepReport } from '@polyprompt/registry';
import { openServerless, type ServerlessDeps } from './serverless.ts';

/** A clock may strike twice. */
const AT_MOST_EVERY_MS = 5 * 60_000;
/** For the tenants at work when the time is over; the next sweep goes on behind them. */
const MARGIN_MS = 2 * 60_000;

/** @returns undefined when another sweep was there first */
export async function sweepStore(
  { registry, log }: ServerlessDeps,
  options: Pick<SweepOptions, 'maxMs'> = {},
): Promise<SweepReport | undefined> {
  const report = await registry.sweep({
    ...options,
    everyMs: AT_MOST_EVERY_MS,
    onError: (err, tenant) => log.error({ err, tenant }, 'a tenant could not be swept'),
  });
  if (report) log.info(report, 'store swept');
  return report;
}

let deps: ServerlessDeps | undefined;

export function handler(
  _event: unknown,
  context: { getRemainingTimeInMillis(): number },
): Promise<SweepReport | undefined> {
  deps ??= openServerless(process.env);
  return sweepStore(deps, { maxMs: context.getRemainingTimeInMillis() - MARGIN_MS });
}
