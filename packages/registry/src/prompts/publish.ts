/**
 * Stores the files of a version and adds it to the prompt, in this order, so that what the prompt names is always
 * complete. Files are written once (If-None-Match). What an interrupted attempt left in the next free slot is taken
 * up when it is the same, and passed over when it is not.
 */
import {
  decodeCard,
  type PackedPrompt,
  type PromptCard,
  PromptError,
  unpackPrompt,
} from '@polyprompt/prompts';
import { type Document, type Documents, promptKeys, StorageError } from '@polyprompt/storage';
import type { Context } from '../context.ts';
import { RegistryError } from '../errors.ts';
import { addVersion } from './changes.ts';
import type { PromptState, VersionRecord } from './document.ts';

export interface PublishOptions {
  readonly actor: string;
  /** The job that made it: at most one version per job. @default null, no job */
  readonly job?: string | null;
  /** Alias that moves to the version in the same step. */
  readonly activate?: string | null | undefined;
}

/** Slots that others may have taken between our looks. */
const MAX_SLOTS = 100;

export async function publish(
  context: Context,
  documents: Documents<PromptState>,
  tenant: string,
  name: string,
  packed: PackedPrompt,
  { actor, job = null, activate = null }: PublishOptions,
): Promise<{ document: Document<PromptState>; record: VersionRecord }> {
  const card = verify(packed);
  const { document: key, version: slotKeys } = promptKeys(tenant, name);
  const known = await documents.read(key);
  const before = known && ofJob(known.value, job);
  if (known && before) return { document: known, record: before };

  let slot = (known?.value.latest ?? 0) + 1;
  for (let attempt = 0; attempt < MAX_SLOTS; attempt++) {
    if (!(await fill(context, slotKeys(slot), packed, card))) {
      slot++;
      continue;
    }
    const now = context.clock.now();
    const record: VersionRecord = {
      version: slot,
      created: now,
      job,
      hash: card.prompt.hash,
      bytes: card.prompt.bytes,
      task: card.task,
      backbone: card.backbone.name,
    };
    let published: VersionRecord | undefined;
    const document = await documents.upsert(key, (state) => {
      published = state && ofJob(state, job);
      if (state && (published || state.latest >= slot)) return state;
      published = record;
      return addVersion(state, record, activate, { name, actor, now });
    });
    if (published) return { document, record: published };
    slot = document.value.latest + 1;
  }
  throw new RegistryError(
    'limit',
    `${MAX_SLOTS} attempts to publish a version of "${name}" met others; try again`,
  );
}

function ofJob(state: PromptState, job: string | null): VersionRecord | undefined {
  if (job === null) return undefined;
  return Object.values(state.versions).find((record) => record.job === job);
}

/** @returns false when the slot holds something else */
async function fill(
  { storage: { blobs } }: Context,
  keys: { artifact: string; card: string },
  packed: PackedPrompt,
  card: PromptCard,
): Promise<boolean> {
  const createdArtifact = await created(blobs.create(keys.artifact, packed.prompt));
  if (!createdArtifact) {
    const stored = await blobs.read(keys.artifact);
    if (!stored?.equals(packed.prompt)) return false;
  }
  if (await created(blobs.create(keys.card, packed.card))) return true;
  // The same prompt trained again has another card: it tells the time.
  const stored = await blobs.read(keys.card);
  return stored !== undefined && decodeCard(stored).prompt.hash === card.prompt.hash;
}

async function created(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (error instanceof StorageError && error.code === 'exists') return false;
    throw error;
  }
}

/** @throws RegistryError `bad_archive` */
function verify(packed: PackedPrompt): PromptCard {
  try {
    return unpackPrompt(packed).card;
  } catch (cause) {
    if (cause instanceof PromptError)
      throw new RegistryError('bad_archive', cause.message, { cause });
    throw cause;
  }
}
