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
import { AGGREGATIONS, OFFSET_UNITS, type OffsetUnit } from '@polyprompt/tasks';
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

/** What is to be answered, for commands that take it on the command line. */
export function withTexts(command: Command): Command {
  return command
    .option('--text <text...>', 'texts to classify or to tag')
    .option('--text-pair <text...>', 'second texts, one for each --text')
    .option('--question <text...>', 'questions to answer')
    .option('--context <text...>', 'where the answers are: one for all questions, or one for each');
}

/** How the answers are to be, by task: `TaskOptions`. */
export function withAnswers(command: Command): Command {
  return command
    .option(
      '--top-k <n>',
      'only the best labels (default: all) or answers (default: one)',
      whole(1),
    )
    .addOption(new Option('--aggregation <how>', 'how words become entities').choices(AGGREGATIONS))
    .option('--ignore-labels <label...>', 'labels to leave out of the entities (default: O)')
    .option('--stride <n>', 'tokens that the windows of a long text share', whole(0))
    .addOption(new Option('--offset-unit <unit>', 'what offsets count').choices(OFFSET_UNITS))
    .option('--max-answer-tokens <n>', 'longest answer to a question (default: 30)', whole(1))
    .option('--handle-impossible', 'answer "" where the context does not hold the answer')
    .option(
      '--null-threshold <n>',
      "how much surer than of an answer that takes; a log ratio (default: the prompt's own)",
      signed,
    );
}

/** The backbone that comes with the project; undefined where it does not. */
export function shippedBackbone(): string | undefined {
  const dir = fileURLToPath(new URL('../../../models/polyprompt-mini', import.meta.url));
  return existsSync(join(dir, 'config.json')) ? dir : undefined;
}
