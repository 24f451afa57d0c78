// What routes of more than one family take.

import { z } from 'zod';
import { LIMITS } from '../limits.ts';

export const ModelParams = z.object({
  model: z
    .string()
    .min(1)
    .max(LIMITS.referenceLength)
    .describe(
      'A prompt reference: name (its production alias), name@alias, name@7, tenant/name@alias, or ft:<backbone>:<tenant>:<name>:<version>.',
    ),
});

/** A JSON body of the usual size. */
export const json = <T extends z.ZodType>(schema: T) => ({
  json: schema,
  maxBytes: LIMITS.jsonBodyBytes,
});
