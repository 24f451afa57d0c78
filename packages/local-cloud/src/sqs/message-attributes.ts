/** User attributes of a message: validation, filtering by name, and the MD5 that clients verify. */
import { createHash } from 'node:crypto';
import { sqsError } from './errors.ts';

export interface MessageAttribute {
  readonly DataType: string;
  readonly StringValue?: string;
  /** Base64. */
  readonly BinaryValue?: string;
}

export type MessageAttributes = Readonly<Record<string, MessageAttribute>>;

const MAX_ATTRIBUTES = 10;

/** @throws WireError `InvalidParameterValue` naming the attribute. */
export function parseMessageAttributes(given: Record<string, unknown>): MessageAttributes {
  const entries = Object.entries(given);
  if (entries.length > MAX_ATTRIBUTES)
    throw sqsError(
      'InvalidParameterValue',
      `A message has at most ${MAX_ATTRIBUTES} attributes, not ${entries.length}`,
    );
  return Object.fromEntries(
    entries.map(([name, value]) => [
      name,
      parseAttribute(name, value as Partial<MessageAttribute> | null),
    ]),
  );
}

function parseAttribute(name: string, value: Partial<MessageAttribute> | null): MessageAttribute {
  const { DataType, StringValue, BinaryValue } = value ?? {};
  const binary = /^Binary(\..+)?$/.test(DataType ?? '');
  const content = binary ? BinaryValue : StringValue;
  if (
    !/^[\w.-]{1,256}$/.test(name) ||
    !DataType ||
    !/^(String|Number|Binary)(\..+)?$/.test(DataType) ||
    typeof content !== 'string' ||
    content === ''
  ) {
    throw sqsError(
      'InvalidParameterValue',
      `The message attribute "${name}" needs a DataType (String, Number, Binary) and a non-empty value of it`,
    );
  }
  return binary ? { DataType, BinaryValue: content } : { DataType, StringValue: content };
}

/** Bytes that the attributes count towards the message size. */
export function attributesSize(attributes: MessageAttributes): number {
  return Object.entries(attributes).reduce(
    (sum, [name, value]) =>
      sum + Buffer.byteLength(name) + Buffer.byteLength(value.DataType) + content(value).length,
    0,
  );
}

/** The attributes that a receiver asked for: exact names, `prefix.*`, or `All`. */
export function selectAttributes(
  attributes: MessageAttributes,
  wanted: readonly string[],
): MessageAttributes | undefined {
  const matches = (name: string) =>
    wanted.some(
      (want) =>
        want === 'All' ||
        want === name ||
        (want.endsWith('.*') && name.startsWith(want.slice(0, -2))),
    );
  const selected = Object.entries(attributes).filter(([name]) => matches(name));
  return selected.length === 0 ? undefined : Object.fromEntries(selected);
}

/** MD5OfMessageAttributes: over name, type, transport type (1 string, 2 binary) and value, each with its length, by name. */
export function attributesMd5(attributes: MessageAttributes | undefined): string | undefined {
  if (!attributes || Object.keys(attributes).length === 0) return undefined;
  const md5 = createHash('md5');
  const sized = (bytes: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    md5.update(length).update(bytes);
  };
  for (const [name, value] of Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))) {
    sized(Buffer.from(name));
    sized(Buffer.from(value.DataType));
    md5.update(Buffer.from([value.BinaryValue === undefined ? 1 : 2]));
    sized(content(value));
  }
  return md5.digest('hex');
}

function content({ StringValue, BinaryValue }: MessageAttribute): Buffer {
  return BinaryValue === undefined
    ? Buffer.from(StringValue ?? '')
    : Buffer.from(BinaryValue, 'base64');
}
