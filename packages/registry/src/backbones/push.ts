/** From a model folder to the bucket: files first, each under its hash, then the manifest that names them. */

import { createReadStream } from 'node:fs';
import type { Clock } from '@polyprompt/clock';
import type { Storage } from '@polyprompt/storage';
import { RegistryError } from '../errors.ts';
import {
  assertConsistent,
  type BackboneFile,
  BackboneManifest,
  contentKey,
  manifestKey,
  totalBytes,
} from './manifest.ts';

/** A model folder that has been looked at. */
export interface LocalBackbone {
  readonly id: string;
  readonly fingerprint: string;
  readonly files: readonly (BackboneFile & { readonly path: string })[];
}

export interface TransferOptions {
  readonly signal?: AbortSignal;
  /** Bytes that are there so far, of all. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface PushOptions extends TransferOptions {
  /** Sends all files, whatever is there, and lets the id stand for this backbone, though it stood for another. */
  readonly replace?: boolean;
}

export interface Pushed {
  readonly manifest: BackboneManifest;
  /** Names of the files that were sent; the others were there. */
  readonly uploaded: readonly string[];
}

/** @throws RegistryError `backbone_exists`, `bad_value` if a file changes meanwhile; StorageError */
export async function pushBackbone(
  { storage, clock }: { readonly storage: Storage; readonly clock: Clock },
  backbone: LocalBackbone,
  { signal, onProgress, replace = false }: PushOptions = {},
): Promise<Pushed> {
  const { id, fingerprint } = backbone;
  const documents = storage.documents(BackboneManifest);
  const wanted = assertConsistent({
    format: 1,
    id,
    fingerprint,
    created: new Date(clock.now()).toISOString(),
    files: backbone.files.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 })),
  });
  assertFree((await documents.read(manifestKey(id)))?.value);

  const total = totalBytes(wanted.files);
  const uploaded: string[] = [];
  let done = 0;
  const advance = (bytes: number) => {
    done += bytes;
    onProgress?.(done, total);
  };
  for (const file of backbone.files) {
    signal?.throwIfAborted();
    const key = contentKey(id, file);
    if (!replace && (await storage.blobs.head(key))?.size === file.bytes) {
      advance(file.bytes);
      continue;
    }
    const body = counted(file.path, advance);
    const { sha256 } = await storage.blobs.put(key, body, signal ? { signal } : {});
    if (sha256 !== file.sha256) {
      await storage.blobs.remove(key);
      throw new RegistryError(
        'bad_value',
        `${file.path} changed while it was uploaded; wait until it is complete and push again`,
      );
    }
    uploaded.push(file.name);
  }
  const { value } = await documents.upsert(manifestKey(id), (current) => {
    assertFree(current);
    return !replace && current?.fingerprint === fingerprint ? current : wanted;
  });
  return { manifest: value, uploaded };

  function assertFree(current: BackboneManifest | undefined): void {
    if (replace || current === undefined || current.fingerprint === fingerprint) return;
    throw new RegistryError(
      'backbone_exists',
      `the store has another backbone "${id}" (${current.fingerprint}, this one is ${fingerprint}); prompts trained on it would be refused. Push under another id, or replace it on purpose`,
    );
  }
}

async function* counted(path: string, advance: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) {
    const bytes = piece as Buffer;
    advance(bytes.length);
    yield bytes;
  }
}
