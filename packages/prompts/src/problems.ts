import { z } from 'zod';

const MOST_SHOWN = 10;

/** What a schema found, in lines; of a list that is wrong in a million places, the first few. */
export function problemsIn({ issues }: z.ZodError): string {
  const shown = z.prettifyError(new z.ZodError(issues.slice(0, MOST_SHOWN)));
  const more = issues.length - MOST_SHOWN;
  return more > 0 ? `${shown}\n... and ${more} more` : shown;
}
