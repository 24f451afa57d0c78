/** JSON schemas as HTML for people: objects as tables of their fields, all else as a short phrase. */

export type Schema = Readonly<Record<string, unknown>>;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

export function html(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => ENTITIES[character]!);
}

/** A schema with what it consists of. */
export function schemaHtml(schema: Schema): string {
  const { description } = schema;
  const text = description === undefined ? '' : `<p>${html(String(description))}</p>`;
  const options = optionsOf(schema);
  if (options.some((option) => 'properties' in option)) {
    return `${text}<p>One of:</p>${options.map(schemaHtml).join('')}`;
  }
  const properties = schema.properties as Readonly<Record<string, Schema>> | undefined;
  if (!properties) return `${text}<p>${phrase(schema)}</p>`;
  const required = (schema.required ?? []) as readonly string[];
  const rows = Object.entries(properties).map(([name, property]) =>
    row(name, property, required.includes(name)),
  );
  return `${text}<table>${rows.join('')}</table>`;
}

function row(name: string, property: Schema, isRequired: boolean): string {
  const notes = [
    property.deprecated === true ? 'Deprecated.' : '',
    property.description === undefined ? '' : html(String(property.description)),
    property.default === undefined ? '' : `Default ${html(JSON.stringify(property.default))}.`,
  ];
  const nested = [property, ...optionsOf(property)].find((each) => 'properties' in each);
  const inner = nested ? schemaHtml({ ...nested, description: undefined }) : '';
  const need = isRequired ? 'required' : '';
  return `<tr><td><code>${html(name)}</code></td><td>${phrase(property)}</td><td>${need}</td><td>${notes.filter(Boolean).join(' ')}${inner}</td></tr>`;
}

/** A schema in a few words, with links to those that have names. */
export function phrase(schema: Schema): string {
  const { $ref, type, items, additionalProperties } = schema;
  const [, name] = /^#\/components\/schemas\/(.+)$/.exec(String($ref ?? '')) ?? [];
  if (name !== undefined) return `<a href="#${html(name)}">${html(name)}</a>`;
  if (schema.const !== undefined) return code(schema.const);
  if (Array.isArray(schema.enum)) return schema.enum.map(code).join(' or ');
  const options = optionsOf(schema);
  if (options.length > 0) return options.map(phrase).join(' or ');
  if (type === 'array') {
    const item = phrase((items ?? {}) as Schema);
    return `list of ${optionsOf((items ?? {}) as Schema).length > 1 ? `(${item})` : item}${limits(schema)}`;
  }
  if (type === 'object') {
    const values = additionalProperties;
    return typeof values === 'object' ? `object of ${phrase(values as Schema)}` : 'object';
  }
  return `${html(String(type ?? 'anything'))}${limits(schema)}`;
}

function optionsOf({ anyOf, oneOf }: Schema): readonly Schema[] {
  return (anyOf ?? oneOf ?? []) as readonly Schema[];
}

function code(value: unknown): string {
  return `<code>${html(JSON.stringify(value))}</code>`;
}

function limits(schema: Schema): string {
  const bound = (min: unknown, max: unknown, unit: string) => {
    if (min === undefined && max === undefined) return '';
    if (max === undefined) return `, at least ${min}${unit}`;
    return min === undefined ? `, at most ${max}${unit}` : `, ${min} to ${max}${unit}`;
  };
  return [
    bound(schema.minimum ?? schema.exclusiveMinimum, schema.maximum ?? schema.exclusiveMaximum, ''),
    bound(schema.minLength, schema.maxLength, ' characters'),
    bound(schema.minItems, schema.maxItems, ' items'),
    schema.format === undefined ? '' : ` (${html(String(schema.format))})`,
  ].join('');
}
