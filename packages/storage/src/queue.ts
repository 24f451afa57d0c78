/**
 * A job queue. Messages carry ids only; delivery is at least once and in no promised order, so a receiver must
 * find out from the state behind the ids what is left to do. Messages that are received too often, and those
 * that do not have the expected form, end in the dead letter queue.
 */
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import type { z } from 'zod';
import { type Context, errorName, storageError } from './context.ts';
import { StorageError } from './errors.ts';

export interface ReceiveOptions {
  /** 1 to 10. @default 1 */
  readonly max?: number;
  /** Long poll, 0 to 20 s. @default 20 */
  readonly waitSeconds?: number;
  /** How long the messages stay hidden from others. @default the queue's setting */
  readonly visibilitySeconds?: number;
  /** Ends the poll; nothing is received then. */
  readonly signal?: AbortSignal;
}

export interface QueueCounts {
  readonly waiting: number;
  readonly inFlight: number;
  readonly delayed: number;
}

const POLL_SECONDS = 20;
const MAX_VISIBILITY_SECONDS = 43_200;
/** What SQS says about a receipt that was replaced, used up, or whose time is over. */
const LOST = ['MessageNotInflight', 'ReceiptHandleIsInvalid', 'InvalidParameterValue'];

export class Queue<T> {
  readonly url: string;
  readonly #context: Context;
  readonly #schema: z.ZodType<T>;

  constructor(context: Context, url: string, schema: z.ZodType<T>) {
    this.#context = context;
    this.url = url;
    this.#schema = schema;
  }

  /** @param delaySeconds 0 to 900. */
  async send(message: T, { delaySeconds }: { delaySeconds?: number } = {}): Promise<void> {
    const MessageBody = JSON.stringify(this.#schema.parse(message));
    const command = new SendMessageCommand({
      QueueUrl: this.url,
      MessageBody,
      DelaySeconds: delaySeconds,
    });
    await this.#call('sending to', () => this.#context.sqs.send(command));
  }

  /** Waits for messages. @returns none when the time is over or `signal` aborts. */
  async receive({
    max = 1,
    waitSeconds = POLL_SECONDS,
    visibilitySeconds,
    signal,
  }: ReceiveOptions = {}): Promise<QueueMessage<T>[]> {
    const command = new ReceiveMessageCommand({
      QueueUrl: this.url,
      MaxNumberOfMessages: max,
      WaitTimeSeconds: waitSeconds,
      VisibilityTimeout: visibilitySeconds,
      MessageSystemAttributeNames: ['ApproximateReceiveCount'],
    });
    try {
      const { Messages = [] } = await this.#call('receiving from', () =>
        this.#context.sqs.send(command, { abortSignal: signal }),
      );
      return Messages.flatMap(({ MessageId = '', Body = '', ReceiptHandle = '', Attributes }) => {
        const body = this.#parse(Body);
        // Left alone, a message of another form comes back until the queue moves it to the dead letters.
        if (body === undefined) return [];
        const receives = Number(Attributes?.ApproximateReceiveCount ?? 1);
        return [
          new QueueMessage(this.#context, this.url, {
            id: MessageId,
            body,
            receives,
            receipt: ReceiptHandle,
          }),
        ];
      });
    } catch (error) {
      if (signal?.aborted) return [];
      throw error;
    }
  }

  /** Approximate. */
  async counts(): Promise<QueueCounts> {
    const command = new GetQueueAttributesCommand({
      QueueUrl: this.url,
      AttributeNames: [
        'ApproximateNumberOfMessages',
        'ApproximateNumberOfMessagesNotVisible',
        'ApproximateNumberOfMessagesDelayed',
      ],
    });
    const { Attributes = {} } = await this.#call('counting', () => this.#context.sqs.send(command));
    return {
      waiting: Number(Attributes.ApproximateNumberOfMessages),
      inFlight: Number(Attributes.ApproximateNumberOfMessagesNotVisible),
      delayed: Number(Attributes.ApproximateNumberOfMessagesDelayed),
    };
  }

  #parse(text: string): T | undefined {
    try {
      return this.#schema.parse(JSON.parse(text));
    } catch {
      return undefined;
    }
  }

  async #call<R>(doing: string, send: () => Promise<R>): Promise<R> {
    try {
      return await send();
    } catch (error) {
      throw storageError(error, doing, this.url);
    }
  }
}

/** A received message: hidden from others until its visibility ends. Finish with `remove` or `giveBack`. */
export class QueueMessage<T> {
  readonly id: string;
  readonly body: T;
  /** How often it was received, this time included; approximate. */
  readonly receives: number;
  readonly #context: Context;
  readonly #url: string;
  readonly #receipt: string;

  /** Made by `Queue.receive`. */
  constructor(
    context: Context,
    url: string,
    message: { id: string; body: T; receives: number; receipt: string },
  ) {
    this.#context = context;
    this.#url = url;
    this.id = message.id;
    this.body = message.body;
    this.receives = message.receives;
    this.#receipt = message.receipt;
  }

  /** Done: the message will not come again (short of a duplicate delivery). */
  async remove(): Promise<void> {
    try {
      await this.#context.sqs.send(
        new DeleteMessageCommand({ QueueUrl: this.#url, ReceiptHandle: this.#receipt }),
      );
    } catch (error) {
      throw storageError(error, 'removing a message of', this.#url);
    }
  }

  /** Hides the message for `seconds` from now. @throws StorageError `message_lost` when it is not ours any more. */
  async extend(seconds: number): Promise<void> {
    if (!Number.isInteger(seconds) || seconds < 0 || seconds > MAX_VISIBILITY_SECONDS) {
      throw new StorageError(
        'bad_option',
        `seconds is ${seconds}; it must be an integer from 0 to ${MAX_VISIBILITY_SECONDS}`,
      );
    }
    const command = new ChangeMessageVisibilityCommand({
      QueueUrl: this.#url,
      ReceiptHandle: this.#receipt,
      VisibilityTimeout: seconds,
    });
    try {
      await this.#context.sqs.send(command);
    } catch (error) {
      if (LOST.includes(errorName(error) ?? '')) {
        throw new StorageError(
          'message_lost',
          `message ${this.id} is no longer in flight with this receipt`,
          { key: this.#url, cause: error },
        );
      }
      throw storageError(error, 'extending a message of', this.#url);
    }
  }

  /** Not done: makes the message visible at once. That it is lost already is fine. */
  async giveBack(): Promise<void> {
    await this.extend(0).catch((error) => {
      if (!(error instanceof StorageError) || error.code !== 'message_lost') throw error;
    });
  }

  /**
   * Keeps the message hidden while a long job runs: extends it to `seconds` every third of that time.
   * @returns the function that stops it. A lost message just stops: the lease of the job, not the queue,
   * decides who works.
   */
  keep(seconds: number): () => void {
    const { clock } = this.#context;
    let stopped = false;
    let cancel: () => void = () => undefined;
    const beat = () => {
      cancel = clock.after((seconds * 1000) / 3, async () => {
        const lost = await this.extend(seconds).then(
          () => false,
          (error) => error instanceof StorageError && error.code === 'message_lost',
        );
        if (!stopped && !lost) beat();
      });
    };
    beat();
    return () => {
      stopped = true;
      cancel();
    };
  }
}

export interface QueueSettings {
  /** How long a received message stays hidden by default. @default 120 */
  readonly visibilitySeconds?: number;
  /** Receives after which a message becomes a dead letter. @default 5 */
  readonly maxReceives?: number;
}

const VISIBILITY_SECONDS = 120;
const MAX_RECEIVES = 5;
/** As long as SQS can: a person has to look at them. */
const DEAD_LETTER_RETENTION_SECONDS = 14 * 24 * 3600;

/**
 * Creates a queue and its dead letter queue `<name>-dead` where they are missing, as the local default needs;
 * on AWS the infrastructure makes them. @returns their URLs.
 */
export async function ensureQueue(
  { sqs }: Context,
  name: string,
  { visibilitySeconds = VISIBILITY_SECONDS, maxReceives = MAX_RECEIVES }: QueueSettings = {},
): Promise<{ url: string; deadLetterUrl: string }> {
  const create = async (QueueName: string, Attributes: Record<string, string>): Promise<string> => {
    try {
      const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes }));
      return QueueUrl;
    } catch (error) {
      // It was made with other settings, which it keeps.
      if (errorName(error) !== 'QueueNameExists') throw error;
      const { QueueUrl = '' } = await sqs.send(new GetQueueUrlCommand({ QueueName }));
      return QueueUrl;
    }
  };
  try {
    const deadLetterUrl = await create(`${name}-dead`, {
      MessageRetentionPeriod: String(DEAD_LETTER_RETENTION_SECONDS),
    });
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: deadLetterUrl, AttributeNames: ['QueueArn'] }),
    );
    const url = await create(name, {
      VisibilityTimeout: String(visibilitySeconds),
      RedrivePolicy: JSON.stringify({
        deadLetterTargetArn: Attributes?.QueueArn,
        maxReceiveCount: maxReceives,
      }),
    });
    return { url, deadLetterUrl };
  } catch (error) {
    throw storageError(error, 'creating the queue', name);
  }
}
