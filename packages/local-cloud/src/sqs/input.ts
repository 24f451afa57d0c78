/** Typed access to the members of a request body. Members that an operation does not know are refused. */
import { sqsError } from './errors.ts';

export class Input {
  readonly #members: Readonly<Record<string, unknown>>;

  constructor(members: unknown) {
    if (typeof members !== 'object' || members === null || Array.isArray(members)) {
      throw sqsError('SerializationException', 'Expected a JSON object');
    }
    this.#members = members as Record<string, unknown>;
  }

  /** @throws WireError `UnsupportedOperation` for a member outside `known`: ignoring it could change its meaning. */
  only(...known: string[]): this {
    const unknown = Object.keys(this.#members).find((name) => !known.includes(name));
    if (unknown !== undefined)
      throw sqsError('UnsupportedOperation', `The parameter ${unknown} is not served here`);
    return this;
  }

  optionalText(name: string): string | undefined {
    const value = this.#members[name] ?? undefined;
    if (value !== undefined && typeof value !== 'string')
      throw sqsError('SerializationException', `${name} must be a string`);
    return value;
  }

  text(name: string): string {
    const value = this.optionalText(name);
    if (value === undefined || value === '')
      throw sqsError('MissingParameter', `The request must contain the parameter ${name}`);
    return value;
  }

  optionalInt(name: string, min: number, max: number): number | undefined {
    const value = this.#members[name] ?? undefined;
    if (value === undefined) return undefined;
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
      throw sqsError(
        'InvalidParameterValue',
        `Value ${value} for parameter ${name} is invalid: must be between ${min} and ${max}`,
      );
    }
    return value as number;
  }

  int(name: string, min: number, max: number): number {
    const value = this.optionalInt(name, min, max);
    if (value === undefined)
      throw sqsError('MissingParameter', `The request must contain the parameter ${name}`);
    return value;
  }

  texts(name: string): string[] {
    const value = this.#members[name] ?? [];
    if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) {
      throw sqsError('SerializationException', `${name} must be a list of strings`);
    }
    return value as string[];
  }

  /** A string map, empty when absent. */
  map(name: string): Record<string, unknown> {
    const value = this.#members[name] ?? {};
    if (typeof value !== 'object' || Array.isArray(value))
      throw sqsError('SerializationException', `${name} must be a map`);
    return value as Record<string, unknown>;
  }

  /** The entries of a batch: 1 to 10, with distinct well-formed ids. */
  batch(): { id: string; entry: Input }[] {
    const entries = this.#members.Entries ?? [];
    if (!Array.isArray(entries) || entries.length === 0)
      throw sqsError('EmptyBatchRequest', 'The batch request contains no entries');
    if (entries.length > 10) {
      throw sqsError(
        'TooManyEntriesInBatchRequest',
        `Maximum number of entries per request are 10, you have sent ${entries.length}`,
      );
    }
    const batch = entries.map((members) => {
      const entry = new Input(members);
      return { id: entry.text('Id'), entry };
    });
    for (const { id } of batch) {
      if (!/^[\w-]{1,80}$/.test(id))
        throw sqsError(
          'InvalidBatchEntryId',
          `"${id}" is not a batch entry id: 1 to 80 of A-Z a-z 0-9 - _`,
        );
    }
    if (new Set(batch.map(({ id }) => id)).size < batch.length)
      throw sqsError('BatchEntryIdsNotDistinct', 'Two entries have the same Id');
    return batch;
  }
}
