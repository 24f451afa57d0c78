/** The table of SQS operations (AWS JSON 1.0). */
import { createHash } from 'node:crypto';
import type { Clock } from '@polyprompt/clock';
import type { Database } from '../db.ts';
import { WireError } from '../errors.ts';
import type { Faults } from '../faults.ts';
import { ACCOUNT, numeric, queueArn } from './attributes.ts';
import { sqsError } from './errors.ts';
import type { Input } from './input.ts';
import { attributesMd5, parseMessageAttributes, selectAttributes } from './message-attributes.ts';
import { Messages, type NewMessage, type ReceivedMessage } from './messages.ts';
import { type Queue, Queues } from './queues.ts';

/** What an operation knows of its caller: where queue URLs point to, and whether it is still there. */
export interface SqsCall {
  readonly input: Input;
  readonly origin: string;
  readonly signal: AbortSignal;
}

type Output = Record<string, unknown> | undefined;
type Handler = (call: SqsCall) => Output | Promise<Output>;

const MAX_BATCH_BYTES = 1_048_576;
const MAX_VISIBILITY_SECONDS = 43_200;

export class SqsService {
  readonly #queues: Queues;
  readonly #messages: Messages;
  readonly #db: Database;

  constructor(db: Database, clock: Clock, faults: Faults) {
    this.#db = db;
    this.#queues = new Queues(db, clock);
    this.#messages = new Messages(db, clock, faults, this.#queues);
  }

  /** @throws WireError `UnsupportedOperation` for an operation that is not served. */
  resolve(operation: string): Handler {
    const handler = Object.hasOwn(this.#handlers, operation)
      ? this.#handlers[operation]
      : undefined;
    if (!handler) throw sqsError('UnsupportedOperation', `${operation} is not served here`);
    return handler;
  }

  readonly #handlers: Readonly<Record<string, Handler>> = {
    CreateQueue: ({ input, origin }) => {
      const name = input.only('QueueName', 'Attributes').text('QueueName');
      this.#queues.create(name, input.map('Attributes'));
      return { QueueUrl: queueUrl(origin, name) };
    },

    GetQueueUrl: ({ input, origin }) => {
      const { name } = this.#queues.get(input.only('QueueName').text('QueueName'));
      return { QueueUrl: queueUrl(origin, name) };
    },

    ListQueues: ({ input, origin }) => {
      input.only('QueueNamePrefix', 'MaxResults', 'NextToken');
      const limit = input.optionalInt('MaxResults', 1, 1000);
      const names = this.#queues.list(
        input.optionalText('QueueNamePrefix') ?? '',
        input.optionalText('NextToken') ?? '',
        limit,
      );
      return {
        QueueUrls: names.map((name) => queueUrl(origin, name)),
        NextToken: names.length === limit ? names.at(-1) : undefined,
      };
    },

    ListDeadLetterSourceQueues: ({ input, origin }) => {
      const names = this.#queues.sourcesOf(queueName(input.only('QueueUrl')));
      return { queueUrls: names.map((name) => queueUrl(origin, name)) };
    },

    GetQueueAttributes: ({ input }) => {
      const name = queueName(input.only('QueueUrl', 'AttributeNames'));
      return { Attributes: this.#queues.attributes(name, input.texts('AttributeNames')) };
    },

    SetQueueAttributes: ({ input }) => {
      const name = queueName(input.only('QueueUrl', 'Attributes'));
      this.#queues.setAttributes(name, input.map('Attributes'));
      this.#messages.notify(name);
      return undefined;
    },

    PurgeQueue: ({ input }) => {
      this.#queues.purge(queueName(input.only('QueueUrl')));
      return undefined;
    },

    DeleteQueue: ({ input }) => {
      const name = queueName(input.only('QueueUrl'));
      this.#queues.delete(name);
      this.#messages.notify(name);
      return undefined;
    },

    SendMessage: ({ input }) => {
      const queue = this.#queueOf(input.only('QueueUrl', ...MESSAGE_MEMBERS));
      return this.#send(queue, newMessage(input));
    },

    SendMessageBatch: ({ input }) => {
      const queue = this.#queueOf(input.only('QueueUrl', 'Entries'));
      const entries = input.batch();
      const size = entries.reduce(
        (sum, { entry }) => sum + Buffer.byteLength(entry.optionalText('MessageBody') ?? ''),
        0,
      );
      if (size > MAX_BATCH_BYTES)
        throw sqsError(
          'BatchRequestTooLong',
          `The batch has ${size} bytes, the limit is ${MAX_BATCH_BYTES}`,
        );
      return this.#batch(entries, ({ entry }) =>
        this.#send(queue, newMessage(entry.only('Id', ...MESSAGE_MEMBERS))),
      );
    },

    ReceiveMessage: async ({ input, signal }) => {
      input.only(
        'QueueUrl',
        'MaxNumberOfMessages',
        'VisibilityTimeout',
        'WaitTimeSeconds',
        'AttributeNames',
        'MessageSystemAttributeNames',
        'MessageAttributeNames',
      );
      const queue = this.#queueOf(input);
      const system = [
        ...input.texts('AttributeNames'),
        ...input.texts('MessageSystemAttributeNames'),
      ];
      const custom = input.texts('MessageAttributeNames');
      const seconds = (
        value: number | undefined,
        fallback: 'VisibilityTimeout' | 'ReceiveMessageWaitTimeSeconds',
      ) => (value ?? numeric(queue.attributes, fallback)) * 1000;
      const messages = await this.#messages.receive(
        queue.name,
        {
          max: input.optionalInt('MaxNumberOfMessages', 1, 10) ?? 1,
          visibilityMs: seconds(
            input.optionalInt('VisibilityTimeout', 0, MAX_VISIBILITY_SECONDS),
            'VisibilityTimeout',
          ),
          waitMs: seconds(
            input.optionalInt('WaitTimeSeconds', 0, 20),
            'ReceiveMessageWaitTimeSeconds',
          ),
        },
        signal,
      );
      return messages.length === 0
        ? {}
        : { Messages: messages.map((message) => describe(message, system, custom)) };
    },

    DeleteMessage: ({ input }) => {
      const queue = this.#queueOf(input.only('QueueUrl', 'ReceiptHandle'));
      this.#messages.delete(queue, input.text('ReceiptHandle'));
      return undefined;
    },

    DeleteMessageBatch: ({ input }) => {
      const queue = this.#queueOf(input.only('QueueUrl', 'Entries'));
      return this.#batch(input.batch(), ({ entry }) => {
        this.#messages.delete(queue, entry.only('Id', 'ReceiptHandle').text('ReceiptHandle'));
        return {};
      });
    },

    ChangeMessageVisibility: ({ input }) => {
      const queue = this.#queueOf(input.only('QueueUrl', ...VISIBILITY_MEMBERS));
      this.#changeVisibility(queue, input);
      return undefined;
    },

    ChangeMessageVisibilityBatch: ({ input }) => {
      const queue = this.#queueOf(input.only('QueueUrl', 'Entries'));
      return this.#batch(input.batch(), ({ entry }) => {
        this.#changeVisibility(queue, entry.only('Id', ...VISIBILITY_MEMBERS));
        return {};
      });
    },
  };

  #queueOf(input: Input): Queue {
    return this.#queues.get(queueName(input));
  }

  #send(queue: Queue, message: NewMessage): Record<string, unknown> {
    return {
      MessageId: this.#messages.send(queue, message),
      MD5OfMessageBody: md5(message.body),
      MD5OfMessageAttributes: attributesMd5(message.attributes),
    };
  }

  #changeVisibility(queue: Queue, input: Input): void {
    const seconds = input.int('VisibilityTimeout', 0, MAX_VISIBILITY_SECONDS);
    this.#messages.changeVisibility(queue, input.text('ReceiptHandle'), seconds);
  }

  /** Entries succeed or fail one by one, inside one commit. */
  #batch<T extends { id: string }>(
    entries: readonly T[],
    act: (entry: T) => Record<string, unknown>,
  ): Output {
    const successful: unknown[] = [];
    const failed: unknown[] = [];
    this.#db.transaction(() => {
      for (const entry of entries) {
        try {
          successful.push({ Id: entry.id, ...act(entry) });
        } catch (error) {
          if (!(error instanceof WireError)) throw error;
          failed.push({
            Id: entry.id,
            SenderFault: true,
            Code: error.code,
            Message: error.message,
          });
        }
      }
    });
    return { Successful: successful, Failed: failed };
  }
}

const MESSAGE_MEMBERS = ['MessageBody', 'DelaySeconds', 'MessageAttributes'];
const VISIBILITY_MEMBERS = ['ReceiptHandle', 'VisibilityTimeout'];

function newMessage(input: Input): NewMessage {
  return {
    body: input.text('MessageBody'),
    attributes: parseMessageAttributes(input.map('MessageAttributes')),
    delaySeconds: input.optionalInt('DelaySeconds', 0, 900),
  };
}

function describe(
  message: ReceivedMessage,
  system: readonly string[],
  custom: readonly string[],
): Record<string, unknown> {
  const all: Record<string, string | undefined> = {
    SenderId: ACCOUNT,
    SentTimestamp: String(message.sent),
    ApproximateReceiveCount: String(message.receives),
    ApproximateFirstReceiveTimestamp: String(message.firstReceived),
    DeadLetterQueueSourceArn: message.source === null ? undefined : queueArn(message.source),
  };
  const chosen = Object.entries(all).filter(
    ([name, value]) => value !== undefined && (system.includes('All') || system.includes(name)),
  );
  const attributes = selectAttributes(message.attributes, custom);
  return {
    MessageId: message.id,
    ReceiptHandle: message.receiptHandle,
    Body: message.body,
    MD5OfBody: md5(message.body),
    Attributes: chosen.length === 0 ? undefined : Object.fromEntries(chosen),
    MessageAttributes: attributes,
    MD5OfMessageAttributes: attributesMd5(attributes),
  };
}

/** Only the last path segment of a queue URL matters, so URLs survive a restart on another port. */
function queueName(input: Input): string {
  const url = input.text('QueueUrl');
  const name = /^https?:\/\/[^/]+\/(?:[^/]+\/)?([\w.-]+)$/.exec(url)?.[1];
  if (name === undefined)
    throw sqsError('InvalidAddress', `The queue URL "${url}" is not <endpoint>/<account>/<queue>`);
  return name;
}

function queueUrl(origin: string, name: string): string {
  return `${origin}/${ACCOUNT}/${name}`;
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
