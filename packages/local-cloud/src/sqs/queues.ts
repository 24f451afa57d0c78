/** The queue table. */
import type { Clock } from '@polyprompt/clock';
import type { Database } from '../db.ts';
import {
  effective,
  parseAttributes,
  type QueueAttributes,
  queueArn,
  redrivePolicy,
} from './attributes.ts';
import { sqsError } from './errors.ts';

export interface Queue {
  readonly name: string;
  readonly attributes: QueueAttributes;
}

interface QueueRow extends Record<string, unknown> {
  name: string;
  created: number;
  modified: number;
  attributes: string;
}

const MAX_LISTED = 1000;

export class Queues {
  readonly #db: Database;
  readonly #clock: Clock;

  constructor(db: Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Creating a queue again is fine as long as the named attributes are the ones it has. */
  create(name: string, given: Record<string, unknown>): void {
    if (name.endsWith('.fifo'))
      throw sqsError('UnsupportedOperation', 'FIFO queues are not served here');
    if (!/^[\w-]{1,80}$/.test(name)) {
      throw sqsError(
        'InvalidParameterValue',
        `"${name}" is not a queue name: 1 to 80 of A-Z a-z 0-9 - _`,
      );
    }
    const attributes = parseAttributes(given);
    this.#db.transaction(() => {
      const existing = this.#row(name);
      if (existing) {
        const current = effective(JSON.parse(existing.attributes));
        const different = Object.entries(attributes).find(([key, value]) => current[key] !== value);
        if (different)
          throw sqsError(
            'QueueNameExists',
            `The queue "${name}" already exists with another value for ${different[0]}`,
          );
        return;
      }
      this.#assertDeadLetterQueue(attributes);
      const now = this.#clock.now();
      this.#db.run(
        'INSERT INTO queues (name, created, modified, attributes) VALUES (?, ?, ?, ?)',
        name,
        now,
        now,
        JSON.stringify(attributes),
      );
    });
  }

  /** @throws WireError `QueueDoesNotExist`. */
  get(name: string): Queue {
    const row = this.#existing(name);
    return { name, attributes: JSON.parse(row.attributes) };
  }

  list(prefix: string, after: string, limit: number = MAX_LISTED): string[] {
    return this.#db
      .all<QueueRow>(
        'SELECT name FROM queues WHERE name > ? AND substr(name, 1, length(?)) = ? ORDER BY name LIMIT ?',
        after,
        prefix,
        prefix,
        limit,
      )
      .map(({ name }) => name);
  }

  /** Names of the queues whose redrive policy points at `name`. */
  sourcesOf(name: string): string[] {
    this.#existing(name);
    return this.#db
      .all<QueueRow>('SELECT name, attributes FROM queues ORDER BY name')
      .filter((row) => redrivePolicy(JSON.parse(row.attributes))?.deadLetterQueue === name)
      .map((row) => row.name);
  }

  setAttributes(name: string, given: Record<string, unknown>): void {
    const attributes = parseAttributes(given);
    this.#db.transaction(() => {
      const current = JSON.parse(this.#existing(name).attributes) as QueueAttributes;
      this.#assertDeadLetterQueue(attributes);
      const merged = JSON.stringify({ ...current, ...attributes });
      this.#db.run(
        'UPDATE queues SET attributes = ?, modified = ? WHERE name = ?',
        merged,
        this.#clock.now(),
        name,
      );
    });
  }

  /** All attributes, or the named ones. */
  attributes(name: string, wanted: readonly string[]): Record<string, string> {
    const row = this.#existing(name);
    const now = this.#clock.now();
    const counts = this.#db.get<{ visible: number; inFlight: number; delayed: number }>(
      `SELECT count(*) FILTER (WHERE visible <= ?1) AS visible,
              count(*) FILTER (WHERE visible > ?1 AND receipt IS NOT NULL) AS inFlight,
              count(*) FILTER (WHERE visible > ?1 AND receipt IS NULL) AS delayed
       FROM messages WHERE queue = ?2`,
      now,
      name,
    )!;
    const all: Record<string, string> = {
      ...effective(JSON.parse(row.attributes)),
      QueueArn: queueArn(name),
      CreatedTimestamp: String(Math.floor(row.created / 1000)),
      LastModifiedTimestamp: String(Math.floor(row.modified / 1000)),
      ApproximateNumberOfMessages: String(counts.visible),
      ApproximateNumberOfMessagesNotVisible: String(counts.inFlight),
      ApproximateNumberOfMessagesDelayed: String(counts.delayed),
    };
    if (all.RedrivePolicy === '') delete all.RedrivePolicy;
    if (wanted.includes('All')) return all;
    const unknown = wanted.find(
      (attribute) => !(attribute in all) && attribute !== 'RedrivePolicy',
    );
    if (unknown !== undefined)
      throw sqsError('InvalidAttributeName', `Unknown or unserved attribute ${unknown}`);
    return Object.fromEntries(
      Object.entries(all).filter(([attribute]) => wanted.includes(attribute)),
    );
  }

  purge(name: string): void {
    this.#existing(name);
    this.#db.run('DELETE FROM messages WHERE queue = ?', name);
  }

  delete(name: string): void {
    this.#db.transaction(() => {
      this.purge(name);
      this.#db.run('DELETE FROM queues WHERE name = ?', name);
    });
  }

  #assertDeadLetterQueue(attributes: QueueAttributes): void {
    const policy = redrivePolicy(attributes);
    if (policy && !this.#row(policy.deadLetterQueue)) {
      throw sqsError(
        'InvalidParameterValue',
        `The dead letter queue "${policy.deadLetterQueue}" does not exist`,
      );
    }
  }

  #existing(name: string): QueueRow {
    const row = this.#row(name);
    if (!row) throw sqsError('QueueDoesNotExist', `The specified queue does not exist: ${name}`);
    return row;
  }

  #row(name: string): QueueRow | undefined {
    return this.#db.get<QueueRow>(
      'SELECT name, created, modified, attributes FROM queues WHERE name = ?',
      name,
    );
  }
}
