/**
 * Mutable JSON documents, changed by compare-and-set.
 *
 * A stored body is `{revision, writes, value}`. `writes` holds the unique ids of the latest writes, newest
 * first, so `writes[n]` made revision `revision - n`. It serves two ends:
 * - A lost answer: when the SDK's retry of a write gets 412, the id under that write's revision tells
 *   exactly whether the first attempt took effect, even if others have written on top since.
 * - ABA: no two bodies are ever equal, so an ETag (a hash of the content) never matches a state other
 *   than the one that was read.
 */
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { z } from 'zod';
import {
  backoff,
  type Context,
  isMissing,
  isPreconditionFailed,
  statusOf,
  storageError,
} from './context.ts';
import { StorageError } from './errors.ts';

/** One revision of a document, as it was read or written. */
export interface Document<T> {
  readonly key: string;
  readonly value: T;
  /** 1 when created, then one more per write. */
  readonly revision: number;
  /** Opaque; for conditions only. */
  readonly etag: string;
}

const Envelope = z.object({
  revision: z.int().positive(),
  writes: z.array(z.string()).min(1),
  value: z.unknown(),
});
type Envelope = z.infer<typeof Envelope>;

interface Stored {
  readonly envelope: Envelope;
  readonly etag: string;
}

/** How many writes may follow one whose answer was lost before its outcome can no longer be told. */
const HISTORY = 32;
const MAX_RACES = 40;
const MAX_BODY_READS = 5;

/** ETag of a write that took effect and was overwritten before its answer came: no condition on it can hold. */
const SUPERSEDED = '"superseded"';

export class Documents<T> {
  readonly #context: Context;
  readonly #schema: z.ZodType<T>;

  /** @param schema every value is checked against it, read or written; it must describe plain JSON. */
  constructor(context: Context, schema: z.ZodType<T>) {
    this.#context = context;
    this.#schema = schema;
  }

  /** @returns undefined when there is no document. @throws StorageError `corrupt` when it does not fit the schema. */
  async read(key: string): Promise<Document<T> | undefined> {
    const stored = await this.#load(key);
    return stored && this.#document(key, stored);
  }

  /** Reads again at the price of a conditional request: `document` itself when it is still current. */
  async refresh(document: Document<T>): Promise<Document<T> | undefined> {
    const stored = await this.#loadUnless(document.key, document.etag);
    return stored === 'unchanged' ? document : stored && this.#document(document.key, stored);
  }

  /** @throws StorageError `exists`. */
  async create(key: string, value: T): Promise<Document<T>> {
    const created = await this.#write(key, undefined, value);
    if (!created) throw new StorageError('exists', `${key} already exists`, { key });
    return created;
  }

  /**
   * Changes an existing document. `change` runs again on the new value after every lost race, so it must have
   * no effects of its own; what it throws ends the update. Returning undefined leaves the document as it is.
   * @throws StorageError `not_found`, `contended`, `unknown_outcome`.
   */
  update(key: string, change: (value: T) => T | undefined): Promise<Document<T>> {
    return this.#race(key, (stored) => {
      if (!stored) throw new StorageError('not_found', `${key} does not exist`, { key });
      return change(this.#document(key, stored).value);
    });
  }

  /** Like `update`, but `change` gets undefined when there is no document yet, and its result creates it. */
  upsert(key: string, change: (value: T | undefined) => T): Promise<Document<T>> {
    return this.#race(key, (stored) => change(stored && this.#document(key, stored).value));
  }

  /**
   * Deletes exactly the revision given; that it is gone already is a success.
   * @throws StorageError `conflict` when the document has changed since.
   */
  async remove({ key, etag }: Document<T>): Promise<void> {
    const { s3, bucket } = this.#context;
    try {
      await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key, IfMatch: etag }));
    } catch (error) {
      if (isMissing(error)) return;
      if (isPreconditionFailed(error))
        throw new StorageError('conflict', `${key} has changed since it was read`, { key });
      throw storageError(error, 'removing', key);
    }
  }

  async #race(
    key: string,
    next: (stored: Stored | undefined) => T | undefined,
  ): Promise<Document<T>> {
    for (let attempt = 0; attempt < MAX_RACES; attempt++) {
      if (attempt > 0) await backoff(attempt);
      const stored = await this.#load(key);
      const value = next(stored);
      if (value === undefined) return this.#document(key, stored as Stored);
      const written = await this.#write(key, stored, value);
      if (written) return written;
    }
    throw new StorageError(
      'contended',
      `${key} was changed by others in ${MAX_RACES} attempts to update it; try again`,
      { key },
    );
  }

  /** @returns undefined when somebody else was faster. */
  async #write(
    key: string,
    previous: Stored | undefined,
    value: T,
  ): Promise<Document<T> | undefined> {
    const { s3, bucket, uniqueId } = this.#context;
    const id = uniqueId();
    const revision = (previous?.envelope.revision ?? 0) + 1;
    const envelope: Envelope = {
      revision,
      writes: [id, ...(previous?.envelope.writes ?? [])].slice(0, HISTORY),
      value: this.#schema.parse(value),
    };
    try {
      const { ETag } = await s3.send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: key,
          Body: JSON.stringify(envelope),
          ContentType: 'application/json',
          ChecksumAlgorithm: 'SHA256',
          ...(previous ? { IfMatch: previous.etag } : { IfNoneMatch: '*' }),
        }),
      );
      return { key, value: envelope.value as T, revision, etag: ETag ?? '' };
    } catch (error) {
      if (!isPreconditionFailed(error) && !isMissing(error))
        throw storageError(error, 'writing', key);
    }
    const etag = await this.#settle(key, id, revision);
    return etag === undefined ? undefined : { key, value: envelope.value as T, revision, etag };
  }

  /** After a refusal: did write `id` take effect after all? @returns its ETag if it did. */
  async #settle(key: string, id: string, revision: number): Promise<string | undefined> {
    const current = await this.#load(key);
    if (!current || current.envelope.revision < revision) return undefined;
    const age = current.envelope.revision - revision;
    const writer = current.envelope.writes[age];
    if (writer === undefined) {
      throw new StorageError(
        'unknown_outcome',
        `${age} writes to ${key} followed one whose answer was lost; its outcome is unknown`,
        { key },
      );
    }
    if (writer !== id) return undefined;
    return age === 0 ? current.etag : SUPERSEDED;
  }

  #load(key: string): Promise<Stored | undefined> {
    return this.#loadUnless(key, undefined) as Promise<Stored | undefined>;
  }

  async #loadUnless(
    key: string,
    unless: string | undefined,
  ): Promise<Stored | undefined | 'unchanged'> {
    const { s3, bucket } = this.#context;
    for (let attempt = 1; ; attempt++) {
      try {
        const { Body, ETag } = await s3.send(
          new GetObjectCommand({ Bucket: bucket, Key: key, IfNoneMatch: unless }),
        );
        return {
          envelope: parseEnvelope(key, (await Body?.transformToString()) ?? ''),
          etag: ETag ?? '',
        };
      } catch (error) {
        if (isMissing(error)) return undefined;
        if (statusOf(error) === 304) return 'unchanged';
        // An error without a status broke the body, after the SDK's retries were over.
        const brokenBody = statusOf(error) === undefined && !(error instanceof StorageError);
        if (!brokenBody || attempt === MAX_BODY_READS) throw storageError(error, 'reading', key);
        await backoff(attempt);
      }
    }
  }

  #document(key: string, { envelope, etag }: Stored): Document<T> {
    const { success, data, error } = this.#schema.safeParse(envelope.value);
    if (!success)
      throw new StorageError(
        'corrupt',
        `${key} does not have the expected form: ${z.prettifyError(error)}`,
        { key },
      );
    return { key, value: data, revision: envelope.revision, etag };
  }
}

function parseEnvelope(key: string, text: string): Envelope {
  try {
    return Envelope.parse(JSON.parse(text));
  } catch (cause) {
    throw new StorageError(
      'corrupt',
      `${key} is not a document of this store ({revision, writes, value})`,
      { key, cause },
    );
  }
}
