/**
 * The history of a prompt without an end: the latest changes are in its document; when they have become many, the
 * oldest move to an immutable chunk, named by their numbers, before they leave the document.
 */
import { type Document, type Documents, promptKeys, StorageError } from '@polyprompt/storage';
import { z } from 'zod';
import type { Context } from '../context.ts';
import { historyKey } from '../layout.ts';
import type { Page } from '../page.ts';
import { slicePage } from '../page.ts';
import { HistoryEntry, type PromptState } from './document.ts';

/** Changes per chunk: chunk n holds the sequence numbers n * 64 + 1 to (n + 1) * 64. */
const CHUNK = 64;
const Chunk = z.array(HistoryEntry).length(CHUNK);

/** What has to be done behind a change, so that the document does not grow; done later if it is interrupted. */
export async function tidy(
  context: Context,
  documents: Documents<PromptState>,
  tenant: string,
  name: string,
  document: Document<PromptState>,
): Promise<Document<PromptState>> {
  const { history, trash } = document.value;
  const oldest = history.length >= 2 * CHUNK ? history.slice(0, CHUNK) : [];
  if (oldest.length === 0 && trash.length === 0) return document;
  const { blobs } = context.storage;
  if (oldest.length > 0) {
    const chunk = (oldest[0]!.sequence - 1) / CHUNK;
    await blobs.create(historyKey(tenant, name, chunk), JSON.stringify(oldest)).catch((error) => {
      if (!(error instanceof StorageError) || error.code !== 'exists') throw error;
    });
  }
  for (const version of trash) {
    const keys = promptKeys(tenant, name).version(version);
    await blobs.remove(keys.card);
    await blobs.remove(keys.artifact);
  }
  const moved = oldest.at(-1)?.sequence ?? 0;
  return documents.update(document.key, (state) => ({
    ...state,
    history: state.history.filter(({ sequence }) => sequence > moved),
    trash: state.trash.filter((version) => !trash.includes(version)),
  }));
}

/** Newest first, those before number `after`. */
export async function historyPage(
  context: Context,
  tenant: string,
  name: string,
  state: PromptState,
  { limit, after = Number.POSITIVE_INFINITY }: { limit: number; after?: number | undefined },
): Promise<Page<HistoryEntry>> {
  const found = state.history.filter(({ sequence }) => sequence < after).reverse();
  const first = state.history[0]?.sequence ?? state.sequence + 1;
  // The next older entry needed is in the chunk of this number, and so on downwards.
  let chunk = Math.ceil((Math.min(first, after) - 1) / CHUNK) - 1;
  for (; chunk >= 0 && found.length <= limit; chunk--) {
    const bytes = await context.storage.blobs.read(historyKey(tenant, name, chunk));
    const entries = bytes ? Chunk.parse(JSON.parse(bytes.toString())) : [];
    found.push(...entries.filter(({ sequence }) => sequence < after).reverse());
  }
  return slicePage(found, limit);
}
