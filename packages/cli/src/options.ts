/** Values of options, checked as they are parsed, and the options that commands share. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  DEVICE_CHOICES,
  type DeviceChoice,
  PRECISIONS,
  type Precision,
} from '@polyprompt/backbone';
import { OFFSET_UNITS, type OffsetUnit } from '@polyprompt/tasks';
import { type Command, InvalidArgumentError, Option } from 'commander';

/** A whole number of at least `least`. */
export function whole(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || text.trim() === '' || value < least) {
      throw new InvalidArgumentError(`Give a whole number of at least ${least}.`);
    }
    return value;
  };
}

/** A finite number of at least 0. */
export function decimal(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || text.trim() === '' || value < 0) {
    throw new InvalidArgumentError('Give a number of at least 0.');
  }
  return value;
}

/** Any finite number. */
export function signed(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || text.trim() === '') {
    throw new InvalidArgumentError('Give a number.');
  }
  return value;
}

export interface DeviceOptions {
  readonly device: DeviceChoice;
  readonly threads?: number;
}

export function withDevice(command: Command): Command {
  return command
    .addOption(
      new Option('--device <device>', 'where to compute').choices(DEVICE_CHOICES).default('auto'),
    )
    .option('--threads <n>', 'CPU threads (default: all cores)', whole(1));
}

export interface PrecisionOptions {
  readonly precision?: Precision;
}

/** For commands that answer; training knows float32 alone. */
export function withPrecision(command: Command): Command {
  return command.addOption(
    new Option(
      '--precision <precision>',
      'what large matrices are multiplied in (default: float32 on a CPU, float16 on a GPU)',
    ).choices(PRECISIONS),
  );
}

export interface ReadingOptions {
  readonly offsetUnit?: OffsetUnit;
  readonly invalidTags?: 'fix' | 'refuse';
}

/** How labelled data is read where it says nothing itself. */
export function withReading(command: Command): Command {
  return command
    .addOption(
      new Option('--offset-unit <unit>', 'what offsets in the data count').choices(OFFSET_UNITS),
    )
    .addOption(
      new Option('--invalid-tags <what>', 'tags that cannot follow each other').choices([
        'fix',
        'refuse',
      ]),
    );
}

export interface LimitOptions {
  readonly maxTokens?: number;
  readonly truncate?: boolean;
}

/** The options about texts that are too long, for commands that read texts to answer them. */
export function withLimits(command: Command): Command {
  return command
    .option(
      '--max-tokens <n>',
      'longest text (default: all that the backbone has room for)',
      whole(3),
    )
    .option('--truncate', 'cut longer texts instead of refusing them');
}

/** The backbone that comes with the project; undefined where it does not. */
export function shippedBackbone(): string | undefined {
  const dir = fileURLToPath(new URL('../../../models/polyprompt-mini', import.meta.url));
  return existsSync(join(dir, 'config.json')) ? dir : undefined;
}
