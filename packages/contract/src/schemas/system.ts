import { z } from 'zod';

export const Health = z
  .object({ status: z.literal('ok'), version: z.string() })
  .meta({ id: 'Health' });

export const Info = z
  .object({
    model_id: z.string().describe('Id of the backbone.'),
    model_sha: z.string().describe('Its fingerprint.'),
    model_dtype: z
      .string()
      .optional()
      .describe(
        'What its large matrices are multiplied in: float32, float16 or int8. Known when it is loaded.',
      ),
    device: z
      .string()
      .optional()
      .describe('Where it computes: cpu or cuda. Known when it is loaded.'),
    max_client_batch_size: z.int().positive().describe('Texts in one request.'),
    version: z.string(),
  })
  .meta({ id: 'Info' });

export const Ready = z
  .object({
    status: z.literal('ready'),
    backbone: z.object({ id: z.string(), fingerprint: z.string() }),
  })
  .meta({ id: 'Ready' });
