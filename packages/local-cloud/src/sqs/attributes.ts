/** Queue attributes: names, ranges, defaults, and the redrive policy. */
import { sqsError } from './errors.ts';

/** AWS's limits: [minimum, maximum, default]; times in seconds, sizes in bytes. */
const NUMERIC = {
  DelaySeconds: [0, 900, 0],
  MaximumMessageSize: [1024, 1_048_576, 1_048_576],
  MessageRetentionPeriod: [60, 1_209_600, 345_600],
  ReceiveMessageWaitTimeSeconds: [0, 20, 0],
  VisibilityTimeout: [0, 43_200, 30],
} as const satisfies Record<string, readonly [number, number, number]>;

export type NumericAttribute = keyof typeof NUMERIC;

export interface RedrivePolicy {
  readonly deadLetterQueue: string;
  readonly maxReceiveCount: number;
}

/** Attributes that were set explicitly, in their wire form. */
export type QueueAttributes = Readonly<Record<string, string>>;

export const ACCOUNT = '000000000000';
const ARN_PREFIX = `arn:aws:sqs:us-east-1:${ACCOUNT}:`;

export function queueArn(name: string): string {
  return ARN_PREFIX + name;
}

export function numeric(attributes: QueueAttributes, name: NumericAttribute): number {
  return Number(attributes[name] ?? NUMERIC[name][2]);
}

/** All settable attributes with their effective values. */
export function effective(attributes: QueueAttributes): Record<string, string> {
  const defaults = Object.fromEntries(
    Object.entries(NUMERIC).map(([name, [, , fallback]]) => [name, String(fallback)]),
  );
  return { ...defaults, ...attributes };
}

/**
 * Checks what a client wants to set.
 * @throws WireError `InvalidAttributeName`, `InvalidAttributeValue`, or `UnsupportedOperation` for FIFO queues.
 */
export function parseAttributes(given: Record<string, unknown>): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== 'string')
      throw sqsError('InvalidAttributeValue', `The value of ${name} must be a string`);
    if (name === 'FifoQueue' && value === 'true')
      throw sqsError('UnsupportedOperation', 'FIFO queues are not served here');
    const range = name in NUMERIC ? NUMERIC[name as NumericAttribute] : undefined;
    if (range) {
      const number = Number(value);
      if (!/^\d+$/.test(value) || number < range[0] || number > range[1]) {
        throw sqsError(
          'InvalidAttributeValue',
          `${name}=${value} is invalid: an integer from ${range[0]} to ${range[1]}`,
        );
      }
    } else if (name === 'RedrivePolicy') {
      if (value !== '') parseRedrivePolicy(value);
    } else {
      throw sqsError('InvalidAttributeName', `Unknown or unserved attribute ${name}`);
    }
    attributes[name] = value;
  }
  return attributes;
}

export function redrivePolicy(attributes: QueueAttributes): RedrivePolicy | undefined {
  const text = attributes.RedrivePolicy;
  return text === undefined || text === '' ? undefined : parseRedrivePolicy(text);
}

function parseRedrivePolicy(text: string): RedrivePolicy {
  let policy: { deadLetterTargetArn?: unknown; maxReceiveCount?: unknown } | null = null;
  try {
    policy = JSON.parse(text);
  } catch {
    // Reported below with the other malformed policies.
  }
  const arn = policy?.deadLetterTargetArn;
  const count = Number(policy?.maxReceiveCount);
  if (
    typeof arn !== 'string' ||
    !/^arn:aws:sqs:[\w-]+:\d+:[\w-]+$/.test(arn) ||
    !Number.isInteger(count) ||
    count < 1 ||
    count > 1000
  ) {
    throw sqsError(
      'InvalidAttributeValue',
      `RedrivePolicy ${text} is invalid: {"deadLetterTargetArn": "arn:aws:sqs:...", "maxReceiveCount": 1 to 1000}`,
    );
  }
  return { deadLetterQueue: arn.slice(arn.lastIndexOf(':') + 1), maxReceiveCount: count };
}
