/**
 * The message table. A message is visible from `visible` (epoch ms) on; receiving moves that into the future
 * and issues a new receipt, all in one transaction. Only the newest receipt of a message acts on it.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '@polyprompt/clock';
import type { Database } from '../db.ts';
import type { Faults } from '../faults.ts';
import { numeric, redrivePolicy } from './attributes.ts';
import { sqsError } from './errors.ts';
import { attributesSize, type MessageAttributes } from './message-attributes.ts';
import type { Queue, Queues } from './queues.ts';
import { Waiters } from './waiters.ts';

export interface NewMessage {
  readonly body: string;
  readonly attributes: MessageAttributes;
  readonly delaySeconds: number | undefined;
}

export interface ReceivedMessage {
  readonly id: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly attributes: MessageAttributes;
  readonly sent: number;
  readonly firstReceived: number;
  readonly receives: number;
  /** Queue that a dead letter came from. */
  readonly source: string | null;
}

export interface ReceiveOptions {
  readonly max: number;
  readonly visibilityMs: number;
  readonly waitMs: number;
}

interface MessageRow extends Record<string, unknown> {
  seq: number;
  id: string;
  body: string;
  attributes: string;
  sent: number;
  visible: number;
  receives: number;
  first_received: number | null;
  receipt: string | null;
  source: string | null;
}

const OPERATION = 'ReceiveMessage';

export class Messages {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #faults: Faults;
  readonly #queues: Queues;
  readonly #waiters: Waiters;

  constructor(db: Database, clock: Clock, faults: Faults, queues: Queues) {
    this.#db = db;
    this.#clock = clock;
    this.#faults = faults;
    this.#queues = queues;
    this.#waiters = new Waiters(clock);
  }

  /** Wakes the long polls of a queue that was changed from outside. */
  notify(queue: string): void {
    this.#waiters.notify(queue);
  }

  /** @returns the message id. @throws WireError when the content is not allowed. */
  send(queue: Queue, message: NewMessage): string {
    assertContent(queue, message);
    const id = randomUUID();
    const now = this.#clock.now();
    const delaySeconds = message.delaySeconds ?? numeric(queue.attributes, 'DelaySeconds');
    this.#db.run(
      'INSERT INTO messages (queue, id, body, attributes, sent, visible) VALUES (?, ?, ?, ?, ?, ?)',
      queue.name,
      id,
      message.body,
      JSON.stringify(message.attributes),
      now,
      now + delaySeconds * 1000,
    );
    this.#waiters.notify(queue.name);
    return id;
  }

  /** Long poll: returns as soon as there is anything, at the latest after `waitMs`. */
  async receive(
    name: string,
    options: ReceiveOptions,
    signal: AbortSignal,
  ): Promise<ReceivedMessage[]> {
    const deadline = this.#clock.now() + options.waitMs;
    for (;;) {
      // A client that has gone must not take messages with it.
      if (signal.aborted) return [];
      const claimed = this.#claim(this.#queues.get(name), options);
      if (claimed.length > 0 || this.#clock.now() >= deadline) return claimed;
      await this.#waiters.wait(
        name,
        Math.min(deadline, this.#nextVisible(name) ?? deadline),
        signal,
      );
    }
  }

  /** Deleting twice, or with a receipt that a later receive has replaced, succeeds and does nothing. */
  delete(queue: Queue, handle: string): void {
    const { seq, receipt } = parseHandle(queue, handle);
    this.#db.run(
      'DELETE FROM messages WHERE seq = ? AND queue = ? AND receipt = ?',
      seq,
      queue.name,
      receipt,
    );
  }

  changeVisibility(queue: Queue, handle: string, seconds: number): void {
    const { seq, receipt } = parseHandle(queue, handle);
    const now = this.#clock.now();
    const changed = this.#db.run(
      'UPDATE messages SET visible = ? WHERE seq = ? AND queue = ? AND receipt = ? AND visible > ?',
      now + seconds * 1000,
      seq,
      queue.name,
      receipt,
      now,
    );
    if (changed === 0) {
      throw sqsError(
        'MessageNotInflight',
        'The message is not in flight: it was deleted, became visible again, or was received again',
      );
    }
    this.#waiters.notify(queue.name);
  }

  #claim(queue: Queue, { max, visibilityMs }: ReceiveOptions): ReceivedMessage[] {
    const now = this.#clock.now();
    const limit = this.#faults.strikes('shortReceive', OPERATION)
      ? Math.floor(this.#faults.random() * max)
      : max;
    const order = this.#faults.strikes('reorder', OPERATION) ? 'random()' : 'visible, seq';
    const { claimed, deadLetterQueue } = this.#db.transaction(() => {
      this.#expire(queue, now);
      const deadLetterQueue = this.#redrive(queue, now);
      const rows = this.#db.all<MessageRow>(
        `SELECT * FROM messages WHERE queue = ? AND visible <= ? ORDER BY ${order} LIMIT ?`,
        queue.name,
        now,
        limit,
      );
      return {
        claimed: rows.map((row) => this.#take(queue, row, now, visibilityMs)),
        deadLetterQueue,
      };
    });
    if (deadLetterQueue !== undefined) this.#waiters.notify(deadLetterQueue);
    return claimed;
  }

  #take(queue: Queue, row: MessageRow, now: number, visibilityMs: number): ReceivedMessage {
    const receipt = randomUUID();
    const firstReceived = row.first_received ?? now;
    const early = this.#faults.strikes('earlyRedelivery', OPERATION);
    if (this.#faults.strikes('duplicateDelivery', OPERATION)) {
      this.#db.run(
        'INSERT INTO messages (queue, id, body, attributes, sent, visible) VALUES (?, ?, ?, ?, ?, ?)',
        queue.name,
        row.id,
        row.body,
        row.attributes,
        row.sent,
        now,
      );
    }
    this.#db.run(
      'UPDATE messages SET visible = ?, receives = receives + 1, first_received = ?, receipt = ? WHERE seq = ?',
      early ? now : now + visibilityMs,
      firstReceived,
      receipt,
      row.seq,
    );
    return {
      id: row.id,
      receiptHandle: formatHandle(queue, row.seq, receipt),
      body: row.body,
      attributes: JSON.parse(row.attributes),
      sent: row.sent,
      firstReceived,
      receives: row.receives + 1,
      source: row.source,
    };
  }

  #expire(queue: Queue, now: number): void {
    const retentionMs = numeric(queue.attributes, 'MessageRetentionPeriod') * 1000;
    this.#db.run(
      'DELETE FROM messages WHERE queue = ? AND sent < ?',
      queue.name,
      now - retentionMs,
    );
  }

  /** Moves what was received too often to the dead letter queue. @returns its name if anything moved. */
  #redrive(queue: Queue, now: number): string | undefined {
    const policy = redrivePolicy(queue.attributes);
    if (!policy) return undefined;
    const moved = this.#db.run(
      `UPDATE messages SET queue = ?1, source = ?2, visible = ?3, receives = 0, first_received = NULL, receipt = NULL
       WHERE queue = ?2 AND visible <= ?3 AND receives >= ?4 AND EXISTS (SELECT 1 FROM queues WHERE name = ?1)`,
      policy.deadLetterQueue,
      queue.name,
      now,
      policy.maxReceiveCount,
    );
    return moved > 0 ? policy.deadLetterQueue : undefined;
  }

  #nextVisible(queue: string): number | undefined {
    return (
      this.#db.get<{ next: number | null }>(
        'SELECT min(visible) AS next FROM messages WHERE queue = ?',
        queue,
      )?.next ?? undefined
    );
  }
}

function assertContent(queue: Queue, message: NewMessage): void {
  const limit = numeric(queue.attributes, 'MaximumMessageSize');
  const size = Buffer.byteLength(message.body) + attributesSize(message.attributes);
  if (size > limit)
    throw sqsError(
      'InvalidParameterValue',
      `One or more parameters are invalid. The message has ${size} bytes, the limit is ${limit}`,
    );
  // The characters that XML 1.0 can carry, as in SQS.
  if (/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(message.body)) {
    throw sqsError(
      'InvalidMessageContents',
      'The message contains characters outside the allowed set (#x9 #xA #xD #x20-#xD7FF #xE000-#xFFFD #x10000-#x10FFFF)',
    );
  }
}

function formatHandle(queue: Queue, seq: number, receipt: string): string {
  return Buffer.from(JSON.stringify([queue.name, seq, receipt])).toString('base64url');
}

function parseHandle(queue: Queue, handle: string): { seq: number; receipt: string } {
  try {
    const [name, seq, receipt] = JSON.parse(Buffer.from(handle, 'base64url').toString('utf8')) as [
      string,
      number,
      string,
    ];
    if (name === queue.name && Number.isInteger(seq) && typeof receipt === 'string')
      return { seq, receipt };
  } catch {
    // Not one of our handles.
  }
  throw sqsError(
    'ReceiptHandleIsInvalid',
    'The input receipt handle is not a valid receipt handle of this queue',
  );
}
