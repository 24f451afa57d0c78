import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERRORS, HuggingFaceError, OpenAiError } from './errors.ts';
import { openApiDocument } from './openapi.ts';
import { errorsOf } from './route.ts';
import { eachRoute } from './routes.ts';

interface Operation {
  readonly operationId: string;
  readonly security: readonly unknown[];
  readonly responses: Readonly<Record<string, unknown>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const document = openApiDocument('1.2.3') as unknown as Document;
const operations = Object.values(document.paths).flatMap((path) => Object.values(path));

function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) =>
    key === '$ref' ? [String(child)] : referencesIn(child),
  );
}

/** Paths that clients of Hugging Face and hosts of models ask. */
const ASKS = /^\/(models\/.+|invocations|predict|)$/;

describe('the route table', () => {
  it('names each method and path once', () => {
    const places = eachRoute().map(([, { method, path }]) => `${method} ${path}`);
    expect(new Set(places).size).toBe(places.length);
  });

  it.each(eachRoute())('%s: path and parameters agree', (_, route) => {
    const named = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    expect(Object.keys(route.params?.shape ?? {}).sort()).toEqual(named.sort());
  });

  it.each(eachRoute())(
    '%s: the family follows from the path, writes have no public scope',
    (_, route) => {
      expect(route.family).toBe(ASKS.test(route.path) ? 'huggingface' : 'openai');
      expect(route.scope === 'public').toBe(
        !(ASKS.test(route.path) || route.path.startsWith('/v1/')),
      );
      if (route.method === 'PUT' || route.method === 'DELETE')
        expect(route.scope).not.toBe('infer');
    },
  );

  it('keeps 503 to readiness, since inference clients repeat it without end', () => {
    const unavailable = eachRoute().filter(([, route]) =>
      errorsOf(route).some((code) => ERRORS[code].status === 503),
    );
    expect(unavailable.map(([id]) => id)).toEqual(['ready', 'ping']);
  });

  it('uses every error code somewhere, except for routes that do not exist', () => {
    const used = new Set(eachRoute().flatMap(([, route]) => errorsOf(route)));
    const unused = Object.keys(ERRORS).filter((code) => !used.has(code as keyof typeof ERRORS));
    expect(unused).toEqual(['route.not_found']);
  });
});

describe('the OpenAPI document', () => {
  it('has every route as one operation', () => {
    expect(operations.map(({ operationId }) => operationId).sort()).toEqual(
      eachRoute()
        .map(([id]) => String(id))
        .sort(),
    );
  });

  it('resolves every reference, uses every component and leaves no placeholder', () => {
    const references = new Set(referencesIn(document));
    expect(references.size).toBeGreaterThan(50);
    for (const reference of references) {
      const [, root, kind, name] = reference.split('/');
      expect(root).toBe('components');
      expect(document.components[kind!]?.[name!], reference).toBeDefined();
    }
    for (const kind of ['schemas', 'examples', 'headers']) {
      for (const name of Object.keys(document.components[kind]!)) {
        expect(references).toContain(`#/components/${kind}/${name}`);
      }
    }
    expect(JSON.stringify(document)).not.toMatch(/\$schemaIndex|\$defs|"~standard"/);
  });

  it('asks for a key exactly where a route does', () => {
    for (const [id, route] of eachRoute()) {
      const { security } = operations.find(({ operationId }) => operationId === id)!;
      expect(security).toEqual(route.scope === 'public' ? [] : [{ key: [] }]);
    }
  });

  it('lists the statuses of every error, with examples that its schema accepts', () => {
    for (const [id, route] of eachRoute()) {
      const { responses } = operations.find(({ operationId }) => operationId === id)!;
      const statuses = new Set([
        '200',
        ...errorsOf(route).map((code) => String(ERRORS[code].status)),
      ]);
      expect(new Set(Object.keys(responses))).toEqual(statuses);
    }
    for (const [name, example] of Object.entries(document.components.examples!)) {
      const schema = name.startsWith('huggingface.') ? HuggingFaceError : OpenAiError;
      expect(schema.safeParse((example as { value: unknown }).value).success, name).toBe(true);
    }
  });

  it('is the committed one', () => {
    const root = join(import.meta.dirname, '../../..');
    const manifest = JSON.parse(readFileSync(join(root, 'packages/contract/package.json'), 'utf8'));
    const committed = readFileSync(join(root, 'docs/openapi.json'), 'utf8');
    const current = `${JSON.stringify(openApiDocument(manifest.version), null, 2)}\n`;
    const advice = 'run: npm run openapi';
    expect(current === committed, advice).toBe(true);
  });
});
