import { z } from 'zod';
import { deletedOf, Timestamp } from './common.ts';

export const Model = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: Timestamp,
    owned_by: z.string(),
    shutdown_date: z.string().nullish(),
  })
  .meta({ id: 'Model', description: 'A backbone, or a version of a prompt of the caller.' });
export type Model = z.infer<typeof Model>;

/** Not paginated, as in OpenAI's API. */
export const ModelList = z
  .object({ object: z.literal('list'), data: z.array(Model) })
  .meta({ id: 'ModelList' });
export const ModelDeleted = deletedOf('ModelDeleted', 'model');
