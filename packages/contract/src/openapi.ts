// The OpenAPI 3.1 document, made from the route table: nothing in it is written twice. Schemas with
// an id become components; errors come with the example that the renderer itself makes.

import { z } from 'zod';
import {
  ApiError,
  ERRORS,
  type ErrorCode,
  type ErrorFamily,
  type ErrorStatus,
  HuggingFaceError,
  OpenAiError,
  renderError,
} from './errors.ts';
import { errorsOf, REQUEST_HEADERS, RESPONSE_HEADERS, type Route, TAGS } from './route.ts';
import { eachRoute } from './routes.ts';

type Json = Record<string, unknown>;

/** Makes the document; the same for the same release. */
export function openApiDocument(version: string): Json {
  const schemas = new SchemaTable();
  const operations = eachRoute().map(([id, route]) => ({
    id,
    route,
    body: operation(id, route, schemas),
  }));
  const paths: Record<string, Json> = {};
  for (const { route, body } of operations) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: body };
  }
  const document = {
    openapi: '3.1.0',
    info: {
      title: 'polyprompt',
      version,
      description:
        'One frozen multilingual backbone, thousands of small swappable prompts. Inference speaks Hugging Face, files, tuning jobs and models speak OpenAI.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: 'http://localhost:8787' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      examples: errorExamples(),
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      headers: mapValues(RESPONSE_HEADERS, (description) => ({
        description,
        schema: { type: 'string' },
      })),
    },
  };
  return schemas.resolve(document);
}

/**
 * Collects zod schemas while the document is built and converts them all at once, so that each
 * component is converted one time and references agree.
 */
class SchemaTable {
  readonly #schemas: z.ZodType[] = [];

  add(schema: z.ZodType): Json {
    return { $schemaIndex: this.#schemas.push(schema) - 1 };
  }

  resolve(document: Json): Json {
    const shape = Object.fromEntries(this.#schemas.map((schema, index) => [index, schema]));
    const converted = z.toJSONSchema(z.object(shape), {
      io: 'input',
      override: dropSafeIntegerBounds,
    });
    const inline = converted.properties ?? {};
    const text = JSON.stringify(document, (_, value) =>
      typeof value?.$schemaIndex === 'number' ? inline[value.$schemaIndex] : value,
    );
    const resolved = JSON.parse(text.replaceAll('"#/$defs/', '"#/components/schemas/'));
    const components = JSON.stringify(sortKeys(converted.$defs ?? {}));
    resolved.components.schemas = JSON.parse(
      components.replaceAll('"#/$defs/', '"#/components/schemas/'),
    );
    return resolved;
  }
}

function operation(id: string, route: Route, schemas: SchemaTable): Json {
  const { tag, summary, description, scope, body, response } = route;
  const parameters = [
    ...parametersOf('path', route.params, schemas),
    ...parametersOf('query', route.query, schemas),
    ...(route.headers ?? []).map((name) => ({
      name,
      in: 'header',
      description: REQUEST_HEADERS[name],
      schema: { type: 'string' },
    })),
  ];
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    security: scope === 'public' ? [] : [{ key: [] }],
    ...(scope !== 'public' && { 'x-scope': scope }),
    ...(body && { 'x-max-body-bytes': body.maxBytes }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: requestBody(body, schemas) }),
    responses: { 200: success(response, schemas), ...errorResponses(route, schemas) },
  };
}

function parametersOf(
  place: 'path' | 'query',
  schema: z.ZodObject | undefined,
  schemas: SchemaTable,
): Json[] {
  return Object.entries(schema?.shape ?? {}).map(([name, field]) => ({
    name,
    in: place,
    required: place === 'path',
    ...(name === 'metadata' && { style: 'deepObject', explode: true }),
    schema: schemas.add(field as z.ZodType),
  }));
}

function requestBody(body: NonNullable<Route['body']>, schemas: SchemaTable): Json {
  return {
    required: body.optional !== true,
    content: {
      ...(body.json && { 'application/json': { schema: schemas.add(body.json) } }),
      ...(body.form && { 'multipart/form-data': { schema: schemas.add(body.form) } }),
      ...(body.binary && { [body.binary]: {} }),
    },
  };
}

function success(response: Route['response'], schemas: SchemaTable): Json {
  const others = (response.other ?? []).map((mediaType) => [mediaType, {}]);
  const names = ['x-request-id', ...(response.headers ?? [])];
  return {
    description: 'Done.',
    headers: Object.fromEntries(
      names.map((name) => [name, { $ref: `#/components/headers/${name}` }]),
    ),
    content: {
      ...(response.json && { 'application/json': { schema: schemas.add(response.json) } }),
      ...Object.fromEntries(others),
    },
  };
}

function errorResponses(route: Route, schemas: SchemaTable): Json {
  const body = schemas.add(route.family === 'huggingface' ? HuggingFaceError : OpenAiError);
  const byStatus = Object.groupBy(errorsOf(route), (code) => ERRORS[code].status);
  return mapValues(byStatus as Record<string, ErrorCode[]>, (codes) => ({
    description: codes.join(', '),
    headers: { 'x-request-id': { $ref: '#/components/headers/x-request-id' } },
    content: {
      'application/json': {
        schema: body,
        examples: Object.fromEntries(
          codes.map((code) => [
            code,
            { $ref: `#/components/examples/${exampleName(route.family, code)}` },
          ]),
        ),
      },
    },
  }));
}

function exampleName(family: ErrorFamily, code: ErrorCode): string {
  return `${family}.${code}`;
}

function errorExamples(): Json {
  const families = ['huggingface', 'openai'] as const;
  return Object.fromEntries(
    families.flatMap((family) => {
      const codes = new Set(
        eachRoute().flatMap(([, route]) => (route.family === family ? errorsOf(route) : [])),
      );
      return [...codes].sort().map((code) => {
        const { status, example, param }: ErrorEntry = ERRORS[code];
        const value = renderError(new ApiError(code, status, example, param), family).body;
        return [exampleName(family, code), { value }];
      });
    }),
  );
}

interface ErrorEntry {
  readonly status: ErrorStatus;
  readonly example: string;
  readonly param?: string;
}

/** zod bounds every integer by what a double holds exactly, which says nothing to a reader. */
function dropSafeIntegerBounds({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
}

function mapValues<T>(record: Readonly<Record<string, T>>, map: (value: T) => unknown): Json {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

function sortKeys(record: Json): Json {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
