// The route table: the one place that says which routes exist, who may call them, what goes in, what
// comes out and what can go wrong. Keys are operation ids; each family of routes has a file.

import type { Route } from './route.ts';
import { adminRoutes } from './routes/admin.ts';
import { fileRoutes } from './routes/files.ts';
import { inferenceRoutes } from './routes/inference.ts';
import { jobRoutes } from './routes/jobs.ts';
import { modelRoutes } from './routes/models.ts';
import { promptRoutes } from './routes/prompts.ts';
import { systemRoutes } from './routes/system.ts';

export const routes = {
  ...inferenceRoutes,
  ...fileRoutes,
  ...jobRoutes,
  ...modelRoutes,
  ...promptRoutes,
  ...adminRoutes,
  ...systemRoutes,
};

export type OperationId = keyof typeof routes;

/** All routes by operation id, without the exact type of each. */
export function eachRoute(): readonly (readonly [OperationId, Route])[] {
  return Object.entries(routes) as unknown as readonly (readonly [OperationId, Route])[];
}
