import { z } from 'zod';

export const Health = z
  .object({ status: z.literal('ok'), version: z.string() })
  .meta({ id: 'Health' });

export const Ready = z
  .object({
    status: z.literal('ready'),
    backbone: z.object({ id: z.string(), fingerprint: z.string() }),
  })
  .meta({ id: 'Ready' });
