import { z } from 'zod';
import { LIMITS } from '../limits.ts';
import { listOf, pageQuery } from './common.ts';

const Day = z.iso.date().describe('A day in UTC, YYYY-MM-DD.');

export const UsageQuery = pageQuery(LIMITS.usagePage)
  .extend({
    start: Day.optional(),
    end: Day.optional().describe('The last day, included.'),
    prompt: z.string().min(1).optional(),
  })
  .strict();

export const UsageDay = z
  .object({
    id: z.string(),
    object: z.literal('usage.day'),
    day: Day,
    prompt: z.string(),
    requests: z.int().nonnegative(),
    tokens: z.int().nonnegative(),
    training_tokens: z.int().nonnegative(),
  })
  .meta({ id: 'UsageDay', description: 'What one prompt used on one day.' });
export type UsageDay = z.infer<typeof UsageDay>;

export const UsageList = listOf('UsageList', UsageDay);
