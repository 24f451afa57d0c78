/**
 * Copies the local checkpoint to the store whenever it has changed: one copy at a time, so that they arrive in
 * order, and only the newest where training is faster than the network. The local file is replaced by renaming,
 * so an open one stays whole while it is read.
 */
import { type FileHandle, open } from 'node:fs/promises';

export interface UploadOptions<Info> {
  readonly path: string;
  readonly upload: (body: AsyncIterable<Uint8Array>, info: Info) => Promise<unknown>;
  /** Told about a failed copy; the next change is the next attempt. */
  readonly onError: (error: unknown) => void;
}

export class CheckpointUploads<Info> {
  readonly #options: UploadOptions<Info>;
  #next: { readonly info: Info } | undefined;
  #running: Promise<void> | undefined;
  #failure: unknown;

  constructor(options: UploadOptions<Info>) {
    this.#options = options;
  }

  /** The file has changed; `info` describes what it holds now. */
  changed(info: Info): void {
    this.#next = { info };
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when the newest state is stored. @throws what the last copy failed with */
  async settled(): Promise<void> {
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Copies no further state; one that is under way is left to the store's fencing. */
  stop(): void {
    this.#next = undefined;
  }

  async #run(): Promise<void> {
    for (let next = this.#next; next; next = this.#next) {
      this.#next = undefined;
      try {
        await this.#upload(next.info);
        this.#failure = undefined;
      } catch (error) {
        this.#failure = error;
        this.#options.onError(error);
      }
    }
  }

  async #upload(info: Info): Promise<void> {
    const file = await openIfThere(this.#options.path);
    // The finished run has deleted it: the prompt itself is what counts now.
    if (!file) return;
    try {
      await this.#options.upload(file.createReadStream({ autoClose: false }), info);
    } finally {
      await file.close();
    }
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
