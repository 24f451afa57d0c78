/**
 * Holds every answer against the contract: the schema of its route, the family's form of errors, the
 * codes that the route may answer with, the headers that all answers have.
 */
import {
  ERRORS,
  eachRoute,
  errorsOf,
  HuggingFaceError,
  OpenAiError,
  type OperationId,
  type Route,
} from '@polyprompt/contract';

export interface Conformance {
  /** How many answers were checked, by operation and status. */
  readonly seen: Map<string, number>;
  /** Reads a copy of the answer. @throws Error saying how it deviates */
  check(method: string, url: string, response: Response): Promise<void>;
}

const ROUTES = eachRoute().map(([id, route]) => ({ id, route, pattern: patternOf(route.path) }));

export function createConformance(): Conformance {
  const seen = new Map<string, number>();
  return {
    seen,
    async check(method, url, response) {
      const { pathname } = new URL(url, 'http://localhost');
      const found = ROUTES.find(
        ({ route, pattern }) => route.method === method && pattern.test(pathname),
      );
      const operation = found?.id ?? 'none';
      const deviation = (how: string) =>
        new Error(`${method} ${pathname} (${operation}, ${response.status}): ${how}`);
      const key = `${operation} ${response.status}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
      if (!response.headers.get('x-request-id')) throw deviation('no x-request-id');
      const type = response.headers.get('content-type') ?? '';
      if (response.status !== 200) {
        if (!type.includes('application/json')) throw deviation(`an error of type ${type}`);
        checkError(found, await response.clone().json(), response, deviation, pathname);
        return;
      }
      if (!found) throw deviation('no such route in the contract');
      const { json, other = [] } = found.route.response;
      if (other.some((each) => type.startsWith(each))) return;
      if (!type.includes('application/json') || !json) throw deviation(`an answer of type ${type}`);
      const result = json!.safeParse(await response.clone().json());
      if (!result.success) throw deviation(result.error.message);
    },
  };
}

function checkError(
  found: { readonly id: OperationId; readonly route: Route } | undefined,
  body: unknown,
  { status, headers }: Response,
  deviation: (how: string) => Error,
  pathname: string,
): void {
  const family =
    found?.route.family ?? (pathname.startsWith('/models/') ? 'huggingface' : 'openai');
  const allowed = found ? errorsOf(found.route) : (['route.not_found'] as const);
  if (family === 'huggingface') {
    HuggingFaceError.parse(body);
    const statuses: readonly number[] = allowed.map((code) => ERRORS[code].status);
    if (!statuses.includes(status)) throw deviation('the route does not have this status');
  } else {
    const { code } = OpenAiError.parse(body).error;
    const known = allowed.find((each) => each === code);
    if (!known) throw deviation(`the route does not have the code ${code}`);
    if (ERRORS[known].status !== status) throw deviation(`${code} has another status`);
  }
  if (status === 409 && headers.get('x-should-retry') !== 'false')
    throw deviation('409 would be retried');
}

function patternOf(path: string): RegExp {
  const pattern = path.replace('{model}', '.+').replaceAll(/\{\w+\}/g, '[^/]+');
  return new RegExp(`^${pattern}$`);
}
