/** `polyprompt predict`: one JSON line per input, in their order. */
import { once } from 'node:events';
import type { DatasetIssue } from '@polyprompt/tasks';
import { answerInputs, DEFAULT_BATCH_TOKENS, tokenLimit } from '@polyprompt/tuning';
import { Command, Option } from 'commander';
import { CliError } from '../errors.ts';
import { count, cutNotice, plural } from '../format.ts';
import { givenItems, INPUT_FORMATS, type InputFormat, type Item, readItems } from '../inputs.ts';
import { type LoadedPrompt, loadPrompt } from '../loaded-prompt.ts';
import {
  type DeviceOptions,
  type LimitOptions,
  type PrecisionOptions,
  whole,
  withAnswers,
  withDevice,
  withLimits,
  withPrecision,
  withTexts,
} from '../options.ts';
import { checkFlags, viewOf } from '../tasks/index.ts';
import { INPUT_FLAGS, type TaskOptions } from '../tasks/view.ts';

interface Options extends DeviceOptions, PrecisionOptions, LimitOptions, TaskOptions {
  readonly prompt: string;
  readonly backbone?: string;
  readonly file?: string;
  readonly format?: InputFormat;
  readonly batchTokens: number;
}

const SHOWN_REFUSALS = 10;

type View = ReturnType<typeof viewOf>;

export function predictCommand(): Command {
  const command = new Command('predict')
    .description('Answer texts: one line of JSON per text, in their order.')
    .requiredOption('--prompt <dir>', 'folder that "polyprompt tune" wrote')
    .option('--backbone <dir>', 'model folder (default: that of the prompt, where it is at hand)')
    .option('--file <file>', 'JSONL, CSV, TSV or one text per line; "-" reads standard input')
    .addOption(new Option('--format <format>', 'format of the file').choices(INPUT_FORMATS))
    .option('--batch-tokens <n>', 'tokens computed at once', whole(1), DEFAULT_BATCH_TOKENS);
  return withPrecision(withDevice(withLimits(withAnswers(withTexts(command)))))
    .addHelpText(
      'after',
      `
JSONL and plain text are streamed: any size, little memory. A row that cannot be used gives a line with
"error", and exit code 2 in the end. Texts are never cut unless --truncate asks for it; the line then says
"truncated".

Examples:
  polyprompt predict --prompt topics --text "Der Zug hat Verspätung." "Il pleut."
  polyprompt predict --prompt nli --text "A man sleeps." --text-pair "Nobody is awake."
  polyprompt predict --prompt topics --file texts.jsonl --top-k 1 > answers.jsonl
  polyprompt predict --prompt qa --question "Who wrote it?" --context "Ann wrote it. Bob read it."
  tail -f app.log | polyprompt predict --prompt topics --file -`,
    )
    .action(predict);
}

async function predict(options: Options): Promise<void> {
  checkInputs(options);
  const loaded = await loadPrompt(options.prompt, options);
  const view = viewOf(loaded.prompt.task);
  const refusals: string[] = [];
  let refused = 0;
  let cut = 0;
  try {
    for await (const items of openInputs(view, options)) {
      for (const line of await answerLines(loaded, view, items, options)) {
        if (line.error && refused++ < SHOWN_REFUSALS) {
          refusals.push(`line ${line.line}: ${line.error.message}`);
        }
        if (line.truncated) cut++;
        await write(`${JSON.stringify(line)}\n`);
      }
    }
  } finally {
    await loaded.predictor.release();
  }
  if (cut > 0) {
    console.error(`polyprompt: ${cutNotice(cut, view.cut, tokenLimit(loaded, options))}`);
  }
  if (refused > 0) {
    const more =
      refused > refusals.length ? [`... and ${count(refused - refusals.length)} more`] : [];
    const summary = `${plural(refused, 'row')} got no answer:`;
    throw new CliError('bad_input', [summary, ...refusals, ...more].join('\n'));
  }
}

/** What can be said before the prompt, and with it the task, is known. */
function checkInputs({ file, ...options }: Options): void {
  const { text, textPair = [] } = options;
  const given = INPUT_FLAGS.some((flag) => options[flag] !== undefined);
  if ((file === undefined) !== given) {
    throw new CliError(
      'usage',
      'give either --text, or --question and --context, or --file (--help shows examples)',
    );
  }
  if (text !== undefined && textPair.length > 0 && textPair.length !== text.length) {
    throw new CliError(
      'usage',
      `there are ${text.length} texts and ${textPair.length} second texts; give one --text-pair for each --text`,
    );
  }
}

function openInputs(
  view: View,
  options: Options,
): AsyncIterable<Item<unknown>[]> | Item<unknown>[][] {
  checkFlags(view, options);
  const { file, format } = options;
  if (file !== undefined) return readItems(view.task, { path: file, format });
  return [givenItems(view.task, view.rows(options))];
}

interface AnswerLine {
  readonly line: number;
  readonly truncated?: true;
  /** Length of a text that was cut or refused. */
  readonly tokens?: number;
  readonly error?: { readonly code: string; readonly message: string };
}

async function answerLines(
  loaded: LoadedPrompt,
  view: View,
  items: readonly Item<unknown>[],
  options: Options,
): Promise<AnswerLine[]> {
  const inputs = items.flatMap((item) => ('input' in item ? [item.input] : []));
  const outcomes = await answerInputs(loaded, view.task, inputs, options, view.options(options));
  const limit = tokenLimit(loaded, options);
  let next = 0;
  return items.map((item): AnswerLine => {
    const { line } = item;
    if ('issue' in item) return { line, error: errorOf(item.issue) };
    const { answer, overrun, ...about } = outcomes[next++]!;
    const cut = overrun === undefined ? {} : { tokens: overrun };
    if (answer === undefined) {
      const what = about.part
        ? `the ${about.part} has ${plural(overrun!, 'token')}`
        : `the text has ${plural(overrun!, 'token')}, special ones included`;
      const message = `${what}; the limit is ${count(about.limit ?? limit)}; shorten it or give --truncate`;
      return { line, ...cut, error: { code: 'too_many_tokens', message } };
    }
    return {
      line,
      ...view.line(item.input, answer, options),
      ...(overrun === undefined ? {} : { truncated: true, ...cut }),
    };
  });
}

function errorOf({ code, message, suggestion }: DatasetIssue): { code: string; message: string } {
  return { code, message: suggestion === undefined ? message : `${message}; ${suggestion}` };
}

async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}
