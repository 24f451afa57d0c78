/**
 * The API document as one page to read: made from the OpenAPI document alone, and self-contained, so
 * that it works without a network and under a strict content policy.
 */

import { html, phrase, type Schema, schemaHtml } from './docs-schema.ts';

interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly 'x-scope'?: string;
  readonly 'x-max-body-bytes'?: number;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { description: string; content?: Content }>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly description?: string;
  readonly schema: Schema;
}

type Content = Readonly<Record<string, { readonly schema?: Schema }>>;

/** The parts that the page reads of a document that `openApiDocument` made. */
interface Document {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; padding: 0 1rem; max-width: 60rem; }
nav { position: sticky; top: 0; padding: 0.5rem 0; background: Canvas; border-bottom: 1px solid #8884; }
nav a { margin-right: 1rem; }
h2 { margin-top: 2.5rem; scroll-margin-top: 3rem; }
code, pre { font: 0.875em/1.5 ui-monospace, monospace; }
code { overflow-wrap: anywhere; }
pre { padding: 0.75rem; overflow-x: auto; background: #8881; border-radius: 0.25rem; }
details { margin: 0.25rem 0; padding: 0.25rem 0.75rem; border-left: 3px solid #8884; scroll-margin-top: 3rem; }
details[open] { border-color: #07c; }
details > div { scroll-margin-top: 5rem; overflow-x: auto; }
summary { cursor: pointer; }
summary b { display: inline-block; width: 4.5rem; }
summary span { opacity: 0.75; margin-left: 0.5rem; }
table { border-collapse: collapse; }
td { padding: 0.25rem 1rem 0.25rem 0; vertical-align: top; border-bottom: 1px solid #8882; }
td:first-child { white-space: nowrap; }
`;

/** @param source the document as `openApiDocument` made it */
export function docsPage(source: Record<string, unknown>): string {
  const document = source as unknown as Document;
  const { info, tags, components } = document;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const sections = tags.map(({ name, description }) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(name));
    const items = own.map(({ path, method, operation }) => operationHtml(path, method, operation));
    return `<section><h2 id="${sectionId(name)}">${html(name)}</h2><p>${html(description)}</p>${items.join('')}</section>`;
  });
  // The target of a link is inside: only then do browsers open what is folded around it.
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<details><summary><code>${html(name)}</code></summary><div id="${html(name)}">${schemaHtml(schema)}</div></details>`,
  );
  const title = `${html(info.title)} ${html(info.version)}`;
  const sectionIds = [...tags.map(({ name }) => name), 'Schemas'];
  const links = sectionIds.map((name) => `<a href="#${sectionId(name)}">${html(name)}</a>`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><style>${STYLE}</style></head><body>
<h1>${title}</h1><p>${html(info.description)}</p>
<p>Every request but those of the section System carries a key:</p>
<pre>${html(EXAMPLE)}</pre>
<p>The same as data: <a href="/openapi.json">openapi.json</a>.</p>
<nav>${links.join(' ')}</nav>
${sections.join('\n')}
<section><h2 id="${sectionId('Schemas')}">Schemas</h2>${schemas.join('\n')}</section>
</body></html>
`;
}

const EXAMPLE = `curl $URL/models/topics -H "Authorization: Bearer $KEY" -d '{"inputs": "Cuece el arroz con agua y sal."}'`;

function sectionId(name: string): string {
  return `section-${html(name.toLowerCase().replaceAll(' ', '-'))}`;
}

function operationHtml(path: string, method: string, operation: Operation): string {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  const scope = operation['x-scope'] ?? 'no key needed';
  const limit = operation['x-max-body-bytes'];
  const rows = parameters.map(
    ({ name, in: place, description: text, schema }) =>
      `<tr><td><code>${html(name)}</code></td><td>${html(place)}</td><td>${html(text ?? String(schema.description ?? ''))}</td></tr>`,
  );
  const answers = Object.entries(responses).map(
    ([status, response]) =>
      `<tr><td>${html(status)}</td><td>${html(response.description)}</td><td>${contentHtml(response.content)}</td></tr>`,
  );
  return `<details id="${html(operationId)}">
<summary><b>${html(method.toUpperCase())}</b> <code>${html(path)}</code><span>${html(summary)}</span></summary>
${description === undefined ? '' : `<p>${html(description)}</p>`}
<p>Scope: ${html(scope)}.${limit === undefined ? '' : ` Body: at most ${limit.toLocaleString('en')} bytes.`}</p>
${rows.length === 0 ? '' : `<table>${rows.join('')}</table>`}
${requestBody === undefined ? '' : `<p>Body: ${contentHtml(requestBody.content)}</p>`}
<table>${answers.join('')}</table></details>`;
}

function contentHtml(content: Content = {}): string {
  return Object.entries(content)
    .map(([type, { schema }]) => `${html(type)} ${schema === undefined ? '' : phrase(schema)}`)
    .join(', ');
}
