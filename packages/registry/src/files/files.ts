/**
 * Uploaded files: the bytes, and a document beside them. A file is there once its document is; bytes without one
 * are what an interrupted upload left. A file remembers the unfinished jobs that use it and cannot go before them.
 */
import type { Readable } from 'node:stream';
import {
  type ByteRange,
  type Documents,
  fileKeys,
  folders,
  type PresignedPut,
} from '@polyprompt/storage';
import type { z } from 'zod';
import type { Context } from '../context.ts';
import { RegistryError } from '../errors.ts';
import { inGroups } from '../groups.ts';
import { timeOfId } from '../ids.ts';
import { behind } from '../layout.ts';
import { loadPage, type Page, type PageOptions } from '../page.ts';
import {
  assertArrived,
  type FileRecord,
  fileNotFound,
  fileView,
  neverArrived,
  type Report,
  StoredFile,
} from './record.ts';
import { FileRecords } from './records.ts';

export interface NewFile {
  readonly filename: string;
  readonly purpose: string;
  /** When it removes itself, or as soon after as it is looked at and no job needs it. */
  readonly expires?: number | null;
}

const PRESIGN_SECONDS = 3600;
/** An upload that did not end in this time never will, and a record of one that failed has been seen. */
export const ABANDONED_MS = 24 * 3600_000;
const CONCURRENT_TIDIES = 8;
/** Oldest first means listing every name there is. */
const MAX_ASCENDING = 10_000;

export class Files {
  readonly #context: Context;
  readonly #documents: Documents<StoredFile>;
  readonly #records: FileRecords;

  constructor(context: Context) {
    this.#context = context;
    this.#documents = context.storage.documents(StoredFile);
    this.#records = new FileRecords(context);
  }

  /**
   * Streams the bytes to the store; nothing is kept of an upload that fails.
   * @throws RegistryError `too_large`, and whatever `body` throws
   */
  async create(
    tenant: string,
    file: NewFile & {
      body: AsyncIterable<Uint8Array>;
      maxBytes?: number;
      signal?: AbortSignal;
    },
  ): Promise<FileRecord> {
    const { body, maxBytes = Number.POSITIVE_INFINITY, signal } = file;
    const { blobs } = this.#context.storage;
    const id = this.#context.ids.next('file');
    const keys = fileKeys(tenant, id);
    const { size, sha256 } = await blobs.create(
      keys.content,
      limited(body, maxBytes),
      signal ? { signal } : {},
    );
    const stored: StoredFile = {
      ...this.#newFile(id, file),
      bytes: size,
      sha256,
      status: 'processed',
    };
    try {
      return fileView((await this.#documents.create(keys.document, stored)).value);
    } catch (error) {
      await this.#discard(keys).catch(() => undefined);
      throw error;
    }
  }

  /** A file whose bytes, exactly as many, are to be PUT to a URL. It is processed once they have arrived. */
  async presign(
    tenant: string,
    file: NewFile & { bytes: number; expiresSeconds?: number },
  ): Promise<{ file: FileRecord; upload: PresignedPut & { expires: number } }> {
    const { bytes, expiresSeconds = PRESIGN_SECONDS } = file;
    const id = this.#context.ids.next('file');
    const keys = fileKeys(tenant, id);
    const expires = this.#context.clock.now() + expiresSeconds * 1000;
    const presigned = await this.#context.storage.blobs.presignPut(keys.content, {
      expiresSeconds,
      size: bytes,
    });
    const { value } = await this.#documents.create(keys.document, {
      ...this.#newFile(id, file),
      bytes,
      status: 'uploaded',
      uploadUntil: expires,
    });
    return { file: fileView(value), upload: { ...presigned, expires } };
  }

  /** @throws RegistryError `file_not_found` */
  async get(tenant: string, id: string): Promise<FileRecord> {
    return fileView((await this.#records.require(tenant, id)).value);
  }

  /**
   * By time of creation; `order` is 'desc' by default.
   * @throws RegistryError `bad_value` for 'asc' with more files than can be turned round
   */
  async list(
    tenant: string,
    {
      limit,
      after,
      order = 'desc',
      purpose,
    }: PageOptions & { order?: 'asc' | 'desc'; purpose?: string | undefined },
  ): Promise<Page<FileRecord>> {
    const folder = folders.files(tenant);
    const ids =
      order === 'desc'
        ? this.#context.storage.listFolders(folder, behind(folder, after))
        : await this.#ascending(folder, after);
    return loadPage(ids, limit, async (id) => {
      const file = (await this.#records.find(tenant, id))?.value;
      return file && (purpose === undefined || file.purpose === purpose)
        ? fileView(file)
        : undefined;
    });
  }

  /**
   * The bytes as a stream, to be read to its end or destroyed.
   * @throws RegistryError `file_not_found`, `file_not_ready`
   */
  async content(
    tenant: string,
    id: string,
    options: { range?: ByteRange; signal?: AbortSignal } = {},
  ): Promise<{ file: FileRecord; body: Readable }> {
    const { value } = await this.#records.require(tenant, id);
    assertArrived(value);
    const reader = await this.#context.storage.blobs.open(fileKeys(tenant, id).content, options);
    if (!reader) throw fileNotFound(id);
    return { file: fileView(value), body: reader.body };
  }

  /** @throws RegistryError `file_not_found`, `file_in_use` */
  async remove(tenant: string, id: string): Promise<void> {
    const document = await this.#records.require(tenant, id);
    const user = await this.#records.remove(tenant, document);
    if (user === undefined) return;
    throw new RegistryError(
      'file_in_use',
      `file "${id}" is used by job "${user}"; wait for it or cancel it first`,
    );
  }

  /** @throws RegistryError `file_not_found` */
  setStatus(
    tenant: string,
    id: string,
    status: FileRecord['status'],
    statusDetails: string | null = null,
  ): Promise<FileRecord> {
    return this.#records.update(tenant, id, (file) => ({ ...file, status, statusDetails }));
  }

  /** Keeps the validator's report for a task. @throws RegistryError `file_not_found` */
  setReport(
    tenant: string,
    id: string,
    task: string,
    report: z.infer<typeof Report>,
  ): Promise<FileRecord> {
    return this.#records.update(tenant, id, (file) => ({
      ...file,
      reports: { ...file.reports, [task]: report },
    }));
  }

  /**
   * For the sweep: removes files that have expired, bytes whose upload was interrupted, and files whose bytes were
   * never put to their URL.
   * @returns how many
   */
  async tidy(tenant: string): Promise<number> {
    let removed = 0;
    const ids = this.#context.storage.listFolders(folders.files(tenant));
    for await (const group of inGroups(ids, CONCURRENT_TIDIES)) {
      const done = await Promise.all(group.map((id) => this.#tidy(tenant, id)));
      removed += done.filter(Boolean).length;
    }
    return removed;
  }

  /** For `Jobs`: keeps the file until the job has ended. @throws RegistryError `file_not_found`, `file_not_ready` */
  async use(tenant: string, id: string, jobId: string): Promise<void> {
    await this.#records.update(tenant, id, (file) => {
      assertArrived(file);
      return file.uses.includes(jobId) ? undefined : { ...file, uses: [...file.uses, jobId] };
    });
  }

  /** For `Jobs`: the job has ended. */
  async endUse(tenant: string, id: string, jobId: string): Promise<void> {
    await this.#records
      .update(tenant, id, (file) =>
        file.uses.includes(jobId)
          ? { ...file, uses: file.uses.filter((use) => use !== jobId) }
          : undefined,
      )
      .catch((error) => {
        if (!(error instanceof RegistryError)) throw error;
      });
  }

  /** @returns whether something was removed */
  async #tidy(tenant: string, id: string): Promise<boolean> {
    const made = timeOfId('file', id);
    if (made === undefined) return false;
    const isOld = this.#context.clock.now() - made > ABANDONED_MS;
    const before = await this.#documents.read(fileKeys(tenant, id).document);
    const file = before && (await this.#records.find(tenant, id));
    if (file && !(isOld && neverArrived(file.value))) return false;
    if (file) return (await this.#records.remove(tenant, file)) === undefined;
    // An upload stores its bytes first; a young one may be about to write its document.
    if (!before && !isOld) return false;
    await this.#context.storage.blobs.remove(fileKeys(tenant, id).content);
    return true;
  }

  #newFile(id: string, { filename, purpose, expires = null }: NewFile) {
    return {
      id,
      filename,
      purpose,
      sha256: null,
      created: this.#context.clock.now(),
      expires,
      statusDetails: null,
      reports: {},
      uses: [],
      uploadUntil: null,
      removed: false,
    };
  }

  /** The record may be there though its answer was lost, and goes first: it must not name bytes that are gone. */
  async #discard({ document, content }: ReturnType<typeof fileKeys>): Promise<void> {
    const record = await this.#documents.read(document);
    if (record) await this.#documents.remove(record);
    await this.#context.storage.blobs.remove(content);
  }

  async #ascending(folder: string, after: string | undefined): Promise<string[]> {
    const ids: string[] = [];
    for await (const id of this.#context.storage.listFolders(folder)) {
      if (id === after) break;
      if (ids.push(id) > MAX_ASCENDING) {
        throw new RegistryError(
          'bad_value',
          `there are more than ${MAX_ASCENDING} files, too many to list oldest first; list them newest first (order=desc)`,
        );
      }
    }
    return ids.reverse();
  }
}

async function* limited(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > maxBytes)
      throw new RegistryError('too_large', `the file has more than ${maxBytes} bytes, the limit`);
    yield piece;
  }
}
