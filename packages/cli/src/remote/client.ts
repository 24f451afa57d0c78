/**
 * The service as a client sees it: OpenAI's package where the API is OpenAI's, and the contract's route
 * table for the rest. Whatever goes wrong leaves here as a `RemoteError` with the server's own message.
 */
import { ApiError, HuggingFaceError, OpenAiError, routes } from '@polyprompt/contract';
import type { OpenAI } from 'openai';
import { CliError } from '../errors.ts';

export interface Endpoint {
  /** Without a slash at the end. */
  readonly url: string;
  readonly key: string;
}

/** What the service refused, or that it could not be asked; the message is meant for people. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError';
  readonly code: string;
  /** Undefined where there was no answer. */
  readonly status: number | undefined;

  constructor(code: string, message: string, options: ErrorOptions & { status?: number } = {}) {
    super(message, options);
    this.code = code;
    this.status = options.status;
  }
}

type Routes = typeof routes;
type Output<Id extends keyof Routes> = Routes[Id]['response'] extends {
  readonly json: { readonly _output: infer Body };
}
  ? Body
  : never;
type Listing = {
  [Id in keyof Routes]: Output<Id> extends { readonly data: readonly { readonly id: string }[] }
    ? Id
    : never;
}[keyof Routes];
type Item<Id extends Listing> =
  Output<Id> extends { readonly data: readonly (infer One)[] } ? One : never;

interface Page<One> {
  readonly data: One[];
  readonly has_more?: boolean;
}

export interface Input {
  readonly params?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly json?: unknown;
  readonly body?: Blob | FormData;
  readonly headers?: Readonly<Record<string, string>>;
}

export class Service {
  readonly url: string;
  readonly #key: string;
  readonly #fetch: typeof fetch;
  #openai: Promise<OpenAI> | undefined;

  constructor({ url, key }: Endpoint, { fetch = globalThis.fetch } = {}) {
    this.url = url;
    this.#key = key;
    this.#fetch = fetch;
  }

  /** OpenAI's client for this service; loaded when first used, since half of the commands need none. */
  get openai(): Promise<OpenAI> {
    this.#openai ??= this.#connect();
    return this.#openai;
  }

  /**
   * Calls a route and holds the answer against the contract.
   * @throws RemoteError
   */
  async call<Id extends keyof Routes>(id: Id, input: Input = {}): Promise<Output<Id>> {
    const response = await this.request(id, input);
    return this.read(id, await response.json().catch(() => undefined));
  }

  /** @throws RemoteError `bad_answer` */
  read<Id extends keyof Routes>(id: Id, body: unknown): Output<Id> {
    const { response } = routes[id];
    const result = 'json' in response ? response.json.safeParse(body) : undefined;
    if (result?.success) return result.data as Output<Id>;
    throw new RemoteError(
      'bad_answer',
      `${this.url} does not answer "${id}" as this version expects; is a polyprompt service of the same version there?`,
      { cause: result?.error },
    );
  }

  /**
   * Calls a route for its whole response.
   * @throws RemoteError unless it is a success
   */
  async request(id: keyof Routes, input: Input = {}): Promise<Response> {
    const { method, path } = routes[id];
    const { params = {}, query = {}, json, body, headers } = input;
    const place = path.replace(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(params[name] ?? ''),
    );
    const url = new URL(this.url + place);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const response = await this.#fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${this.#key}`,
        ...(json !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body && { body }),
      ...(json !== undefined && { body: JSON.stringify(json) }),
    });
    if (!response.ok) throw await refusal(response);
    return response;
  }

  /** Sends bytes to a URL that the service has signed. @throws RemoteError */
  async put(url: string, body: Blob, headers: Readonly<Record<string, string>>): Promise<void> {
    const response = await this.#fetch(url, { method: 'PUT', headers, body });
    if (!response.ok) throw await refusal(response);
  }

  /** The items of a list over all its pages, in pages of `limit`. */
  async *list<Id extends Listing>(
    id: Id,
    limit: number,
    input: Input = {},
  ): AsyncGenerator<Item<Id>> {
    for (let after: string | undefined; ; ) {
      const page = await this.call(id, { ...input, query: { ...input.query, limit, after } });
      const { data, has_more } = page as Page<Item<Id>>;
      yield* data;
      after = (data.at(-1) as { readonly id: string } | undefined)?.id;
      if (!has_more || after === undefined) return;
    }
  }

  async #connect(): Promise<OpenAI> {
    const { OpenAI } = await import('openai');
    return new OpenAI({
      baseURL: `${this.url}/v1`,
      apiKey: this.#key,
      fetch: this.#fetch,
      // Otherwise read from variables that are meant for another service.
      adminAPIKey: null,
      organization: null,
      project: null,
    });
  }
}

async function refusal(response: Response): Promise<RemoteError> {
  const text = await response.text();
  const [message, code] = messageIn(text) ?? [text.slice(0, 200) || response.statusText, null];
  return refused(response.status, message, code, response.headers.get('x-request-id'));
}

function messageIn(text: string): readonly [string, string | null] | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  const openai = OpenAiError.safeParse(body);
  if (openai.success) return [openai.data.error.message, openai.data.error.code];
  const huggingFace = HuggingFaceError.safeParse(body);
  return huggingFace.success ? [huggingFace.data.error, null] : undefined;
}

function refused(
  status: number,
  message: string,
  code: string | null | undefined,
  requestId: string | null | undefined,
): RemoteError {
  // What the people who run the service find it by.
  const where = status >= 500 && requestId ? ` (request ${requestId})` : '';
  return new RemoteError(code ?? `status_${status}`, `${message}${where}`, { status });
}

/** What went wrong while the service was asked, in words for people; other errors as they are. */
export async function translated(error: unknown, url: string): Promise<unknown> {
  if (error instanceof CliError || error instanceof RemoteError) return error;
  if (error instanceof ApiError) return new CliError('usage', error.message, { cause: error });
  const { APIConnectionError, APIError } = await import('openai');
  if (error instanceof APIConnectionError || isFetchFailure(error)) {
    const message = `${url} cannot be reached: ${deepestMessage(error)}; --url names another service, "polyprompt serve" starts one`;
    return new RemoteError('unreachable', message, { cause: error });
  }
  if (!(error instanceof APIError) || error.status === undefined) return error;
  const { message } = (error.error ?? {}) as { readonly message?: unknown };
  const said = typeof message === 'string' ? message : error.message;
  return refused(error.status, said, error.code, error.requestID);
}

/** `fetch` failed, or the connection broke while the answer was read. */
function isFetchFailure(error: unknown): boolean {
  return error instanceof TypeError && ['fetch failed', 'terminated'].includes(error.message);
}

function deepestMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A host with several addresses: one error for each.
  const { errors } = error as { readonly errors?: readonly unknown[] };
  const inner = error.cause ?? errors?.[0];
  return inner === undefined ? error.message : deepestMessage(inner);
}
