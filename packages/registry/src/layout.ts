/** Keys beside those of the storage package, under the same folders: for what only the registry keeps. */
import { createHash } from 'node:crypto';
import { folders, jobKeys, promptKeys } from '@polyprompt/storage';

const CHUNK_DIGITS = 8;

/** Folder of empty objects named by the ids of a tenant's keys; the keys themselves lie together, to be found by id. */
export const keyIndex = (tenant: string) => `${folders.tenant(tenant)}keys/`;

export const usageFolder = (tenant: string) => `${folders.tenant(tenant)}usage/`;

/** `day` is YYYY-MM-DD, `replica` made by us. */
export const usageKey = (tenant: string, day: string, replica: string) =>
  `${usageFolder(tenant)}${day}/${replica}.json`;

/** The jobs of a tenant that have not ended. */
export const slotsKey = (tenant: string) => `${folders.tenant(tenant)}unfinished-jobs.json`;

/** Folder of what remembers which job a request made. */
export const requestFolder = (tenant: string) => `${folders.tenant(tenant)}requests/`;

/** When the store was swept last, and how far. */
export const SWEEP_KEY = 'sweep.json';

/** Remembers which job a request made. `request` is anything; only its hash is stored. */
export const requestKey = (tenant: string, request: string) =>
  `${requestFolder(tenant)}${createHash('sha256').update(request).digest('hex')}.json`;

/** Folder of the training states of a job. */
export const statesOf = (tenant: string, jobId: string) => jobKeys(tenant, jobId).checkpoints;

/** Training state saved under one lease; see `JobHandle.saveState`. */
export const stateKey = (tenant: string, jobId: string, fence: number) =>
  `${statesOf(tenant, jobId)}${fence}`;

export const historyKey = (tenant: string, prompt: string, chunk: number) =>
  `${promptKeys(tenant, prompt).folder}history/${String(chunk).padStart(CHUNK_DIGITS, '0')}.json`;

/** Where a listing of folders or objects continues behind `id`: '0' follows '/' in key order. */
export const behind = (folder: string, id: string | undefined) =>
  id === undefined ? {} : { after: `${folder}${id}0` };
