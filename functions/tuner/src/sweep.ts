/** The sweep of the store as a function on Lambda, called by a clock; where the API is a process it sweeps itself. */
import type { SweepReport } from '@polyprompt/registry';
import { openServerless, type ServerlessDeps } from './serverless.ts';

/** A clock may strike twice. */
const AT_MOST_EVERY_MS = 5 * 60_000;

/** @returns undefined when another sweep was there first */
export async function sweepStore({
  registry,
  log,
}: ServerlessDeps): Promise<SweepReport | undefined> {
  const report = await registry.sweep({
    everyMs: AT_MOST_EVERY_MS,
    onError: (err, tenant) => log.error({ err, tenant }, 'a tenant could not be swept'),
  });
  if (report) log.info(report, 'store swept');
  return report;
}

let deps: ServerlessDeps | undefined;

export function handler(): Promise<SweepReport | undefined> {
  deps ??= openServerless(process.env);
  return sweepStore(deps);
}
