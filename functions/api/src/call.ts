/**
 * What a handler sees of a request, and what it answers: types that follow from the contract's route
 * table, so that a handler which answers something else than the contract says does not compile.
 * Handlers know neither Hono nor keys' secrets; `mount.ts` is what stands between.
 */
import type {
  OperationId,
  RequestHeader,
  ResponseHeader,
  routes,
  Scope,
} from '@polyprompt/contract';
import type { z } from 'zod';

type RouteOf<Id extends OperationId> = (typeof routes)[Id];
type OutputOf<Holder, Field extends string> = Holder extends {
  readonly [K in Field]: infer Schema extends z.ZodType;
}
  ? z.output<Schema>
  : undefined;
type Body<Id extends OperationId> =
  RouteOf<Id> extends { readonly body: infer Declared } ? Declared : undefined;

/** Who asks. */
export interface Caller {
  readonly keyId: string;
  readonly tenant: string;
  readonly scopes: readonly Scope[];
}

export interface Call<Id extends OperationId> {
  /** Parsed by the contract's schemas. */
  readonly params: OutputOf<RouteOf<Id>, 'params'>;
  readonly query: OutputOf<RouteOf<Id>, 'query'>;
  /** Undefined on public routes alone. */
  readonly caller: RouteOf<Id>['scope'] extends 'public' ? undefined : Caller;
  readonly request: Request;
  readonly requestId: string;
  /** Aborts when the client has left. */
  readonly signal: AbortSignal;
  header(name: RequestHeader | 'accept' | 'content-type'): string | undefined;
  setHeader(name: ResponseHeader, value: string): void;
  /**
   * Reads, parses and validates the JSON body; an optional body that is absent counts as `{}`.
   * @throws ApiError `body.too_large`, `invalid_json`, `invalid_request`, `invalid_value`
   */
  json(): Promise<OutputOf<Body<Id>, 'json'>>;
  /** The JSON body as it was sent, for a route that knows better what it must be. */
  jsonBody(): Promise<unknown>;
}

/** The contract's object, or a whole response where the route answers something else than JSON. */
export type Answer<Id extends OperationId> =
  | Response
  | (RouteOf<Id>['response'] extends { readonly json: infer Schema extends z.ZodType }
      ? z.input<Schema>
      : never);

export type Handler<Id extends OperationId> = (call: Call<Id>) => Promise<Answer<Id>>;

/** A handler for each operation of some routes, and for no other. */
export type Handlers<Ids extends OperationId = OperationId> = { readonly [Id in Ids]: Handler<Id> };
