/**
 * The hub as far as pulling needs it: a repository at one commit, and its files. Requests are repeated while the
 * hub is busy or the network fails; a refusal becomes an error that says what to do.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError } from '../errors.ts';
import type { HubId } from './hub-id.ts';

export interface HubOptions {
  /** @default $HF_ENDPOINT, or https://huggingface.co */
  readonly endpoint?: string;
  /** @default $HF_TOKEN */
  readonly token?: string;
  readonly fetch?: typeof fetch;
  readonly signal?: AbortSignal;
  /** Milliseconds before the first repetition; each further one waits twice as long. @default 500 */
  readonly retryMs?: number;
}

/** A file of a repository, with what its bytes must hash to. */
export interface HubFile {
  readonly path: string;
  readonly bytes: number;
  /** Git's hash of small files, SHA-256 of large ones. */
  readonly checksum: { readonly algorithm: 'git-sha1' | 'sha256'; readonly hex: string };
}

type FetchInput = Parameters<typeof fetch>[0];

const ENDPOINT = 'https://huggingface.co';
const TRIES = 5;
const BUSY = new Set([408, 429, 500, 502, 503, 504]);
const MAX_WAIT_MS = 30_000;

export class Hub {
  readonly endpoint: string;
  readonly #token: string | undefined;
  readonly #fetch: typeof fetch;
  readonly #signal: AbortSignal | undefined;
  readonly #retryMs: number;

  /** @throws CliError `usage` */
  constructor(options: HubOptions = {}, env: NodeJS.ProcessEnv = process.env) {
    this.endpoint = (options.endpoint || env.HF_ENDPOINT || ENDPOINT).replace(/\/+$/, '');
    this.#token = options.token || env.HF_TOKEN?.trim() || undefined;
    this.#fetch = options.fetch ?? fetch;
    this.#signal = options.signal;
    this.#retryMs = options.retryMs ?? 500;
    if (!URL.canParse(this.endpoint) || !/^https?:/.test(this.endpoint)) {
      throw new CliError(
        'usage',
        `HF_ENDPOINT is ${JSON.stringify(this.endpoint)}; it must be an http or https URL`,
      );
    }
    if (this.#token !== undefined && !this.#token.startsWith('hf_')) {
      throw new CliError('usage', 'HF_TOKEN is not a token of the hub, which begin with "hf_"');
    }
  }

  /** The commit that a revision stands for now. @throws CliError `hub_refused`, `hub_unreachable` */
  async commit({ repo, revision = 'main' }: HubId): Promise<string> {
    const { modelInfo } = await import('@huggingface/hub');
    const { sha } = await modelInfo({
      name: repo,
      revision,
      additionalFields: ['sha'],
      ...this.#connection(`${repo}@${revision}`),
    });
    return sha;
  }

  /** The files in the root of a repository. @throws CliError `hub_refused`, `hub_unreachable` */
  async files(repo: string, commit: string): Promise<HubFile[]> {
    const { listFiles } = await import('@huggingface/hub');
    const files: HubFile[] = [];
    const connection = this.#connection(`${repo}@${commit}`);
    for await (const entry of listFiles({ repo, revision: commit, ...connection })) {
      if (entry.type !== 'file') continue;
      const { path, size, lfs, oid = '' } = entry;
      const checksum = lfs
        ? ({ algorithm: 'sha256', hex: lfs.oid.replace(/^sha256:/, '') } as const)
        : ({ algorithm: 'git-sha1', hex: oid } as const);
      files.push({ path, bytes: lfs?.size ?? size, checksum });
    }
    return files;
  }

  /**
   * The bytes of a file from `start` on, or from 0 where a server knows no ranges.
   * @throws CliError `hub_refused`, `hub_unreachable`
   */
  async open(
    repo: string,
    commit: string,
    { path }: HubFile,
    start: number,
  ): Promise<{ readonly start: number; readonly body: AsyncIterable<Uint8Array> }> {
    const { fileDownloadInfo } = await import('@huggingface/hub');
    const connection = this.#connection(`${path} of ${repo}@${commit}`);
    const info = await fileDownloadInfo({ repo, path, revision: commit, ...connection });
    if (info === null) throw new CliError('hub_refused', `${repo} has no ${path} at ${commit}`);
    const headers = {
      // What is compressed on the way cannot be taken up in the middle.
      'accept-encoding': 'identity',
      ...(start > 0 && { range: `bytes=${start}-` }),
      ...(this.#token && { authorization: `Bearer ${this.#token}` }),
    };
    const response = await connection.fetch(info.url, { headers });
    const resumed = start > 0 && response.status === 206;
    return { start: resumed ? start : 0, body: response.body ?? (async function* () {})() };
  }

  /** What every call of the client library takes. `what` is for messages. */
  #connection(what: string) {
    return {
      hubUrl: this.endpoint,
      ...(this.#token && { accessToken: this.#token }),
      fetch: (input: FetchInput, init?: RequestInit) => this.#request(what, input, init),
    };
  }

  async #request(what: string, input: FetchInput, init: RequestInit = {}): Promise<Response> {
    for (let tries = 1; ; tries++) {
      const wait = Math.min(MAX_WAIT_MS, this.#retryMs * 2 ** (tries - 1));
      try {
        const response = await this.#fetch(input, { ...init, signal: this.#signal ?? null });
        if (response.ok) return response;
        await response.body?.cancel();
        if (!BUSY.has(response.status)) throw this.#refusal(what, response);
        if (tries === TRIES) throw this.#unreachable(what, `it answers ${response.status}`);
        const asked = 1000 * Number(response.headers.get('retry-after') ?? 0);
        await sleep(Math.min(MAX_WAIT_MS, Math.max(wait, asked || 0)), undefined, this.#waiting());
      } catch (error) {
        this.#signal?.throwIfAborted();
        if (error instanceof CliError) throw error;
        const cause = (error as Error).cause;
        const reason = (cause instanceof Error ? cause : (error as Error)).message;
        if (tries === TRIES) throw this.#unreachable(what, reason);
        await sleep(wait, undefined, this.#waiting());
      }
    }
  }

  #waiting() {
    return this.#signal ? { signal: this.#signal } : {};
  }

  #unreachable(what: string, reason: string): CliError {
    return new CliError(
      'hub_unreachable',
      `cannot get ${what} from ${this.endpoint} (${reason}); the same command goes on where it stopped`,
    );
  }

  #refusal(what: string, { status, headers }: Response): CliError {
    const code = headers.get('x-error-code');
    const token =
      this.#token === undefined
        ? 'set HF_TOKEN to a token that may read it'
        : 'the token in HF_TOKEN may not read it';
    const why =
      code === 'GatedRepo'
        ? `its owner wants its terms accepted: accept them on its page; then ${token}`
        : code === 'RevisionNotFound'
          ? 'the model has no such branch, tag or commit'
          : status === 401
            ? `there is no such model, or it is private: check the name, or ${token}`
            : status === 403
              ? token
              : status === 404
                ? 'there is no such model or revision'
                : `status ${status}`;
    return new CliError('hub_refused', `${this.endpoint} refuses ${what}: ${why}`);
  }
}
