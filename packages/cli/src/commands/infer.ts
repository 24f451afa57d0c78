/** `polyprompt infer`: what `predict` does, at a service. */
import { AGGREGATIONS, type Aggregation, OFFSET_UNITS, type OffsetUnit } from '@polyprompt/tasks';
import { type Command, Option } from 'commander';
import { CliError } from '../errors.ts';
import { whole } from '../options.ts';
import type { Service } from '../remote/client.ts';
import { type RemoteOptions, remoteCommand, withService } from '../remote/command.ts';

interface Options extends RemoteOptions {
  readonly text?: readonly string[];
  readonly question?: readonly string[];
  readonly context?: readonly string[];
  readonly textPair?: readonly string[];
  readonly topK?: number;
  readonly aggregation?: Aggregation;
  readonly offsetUnit?: OffsetUnit;
  readonly truncate?: boolean;
  readonly splitKey?: string;
}

export function inferCommand(): Command {
  return remoteCommand('infer', 'Answer texts at a service: one line of JSON per text.', [
    'infer topics --text "Der Zug hat Verspätung." "Il pleut."',
    'infer topics@3 --text "Il pleut." --top-k 1 --json',
    'infer names --text "Klara wohnt in Köln." --offset-unit utf16',
    'infer qa --question "Who wrote it?" --context "Ann wrote it. Bob read it."',
  ])
    .argument('<prompt>', 'name (its production alias), name@alias, name@version, or an ft: id')
    .option('--text <text...>', 'texts to classify or to tag')
    .option('--question <text...>', 'questions to answer')
    .option('--context <text...>', 'where the answers are: one for all questions, or one for each')
    .option('--text-pair <text...>', 'second texts, one for each --text')
    .option(
      '--top-k <n>',
      'only the best labels (default: all) or answers (default: one)',
      whole(1),
    )
    .addOption(new Option('--aggregation <how>', 'how words become entities').choices(AGGREGATIONS))
    .addOption(new Option('--offset-unit <unit>', 'what offsets count').choices(OFFSET_UNITS))
    .option('--truncate', 'cut longer texts instead of refusing them')
    .option('--split-key <key>', 'stay on one version of an alias that splits its traffic')
    .addHelpText(
      'after',
      '\nWith --json the answers of the service and the version that gave them, as one object.',
    )
    .action((prompt: string, options: Options) => {
      const inputs = inputsOf(options);
      return withService(options, (service) => infer(service, prompt, inputs, options));
    });
}

type Input =
  | string
  | { readonly text: string; readonly text_pair: string }
  | { readonly question: string; readonly context: string };

function inputsOf({ text, textPair, question, context = [] }: Options): readonly Input[] {
  if ((text === undefined) === (question === undefined)) {
    throw new CliError('usage', 'give either --text, or --question and --context');
  }
  if (question !== undefined) {
    if (context.length !== 1) requirePairs(question, 'questions', context, 'contexts', '--context');
    return question.map((one, i) => ({ question: one, context: context[i] ?? context[0]! }));
  }
  if (textPair === undefined) return text!;
  requirePairs(text!, 'texts', textPair, 'second texts', '--text-pair');
  return text!.map((one, i) => ({ text: one, text_pair: textPair[i]! }));
}

function requirePairs(
  firsts: readonly string[],
  what: string,
  seconds: readonly string[],
  others: string,
  flag: string,
): void {
  if (firsts.length === seconds.length) return;
  throw new CliError(
    'usage',
    `there are ${firsts.length} ${what} and ${seconds.length} ${others}; give one ${flag} for each`,
  );
}

async function infer(
  service: Service,
  model: string,
  inputs: readonly Input[],
  { topK, aggregation, offsetUnit, truncate, splitKey, json }: Options,
): Promise<void> {
  const response = await service.request('infer', {
    params: { model },
    json: {
      inputs,
      parameters: {
        top_k: topK,
        truncate,
        aggregation_strategy: aggregation,
        offset_unit: offsetUnit,
      },
    },
    ...(splitKey !== undefined && { headers: { 'x-split-key': splitKey } }),
  });
  const answers = service.read('infer', await response.json());
  const version = response.headers.get('x-prompt-version');
  if (json) {
    console.log(JSON.stringify({ version, answers }, null, 2));
    return;
  }
  const cut = new Set((response.headers.get('x-truncated') ?? '').split(','));
  inputs.forEach((input, i) => {
    const answer = (answers as readonly (object | readonly object[])[])[i]!;
    console.log(
      JSON.stringify({
        line: i + 1,
        ...shown(input),
        ...fieldsOf(answer),
        ...(cut.has(String(i)) && { truncated: true }),
      }),
    );
  });
  if (process.stderr.isTTY) console.error(`answered by ${version}`);
}

/** A context is too long to be repeated beside each answer. */
function shown(input: Input): object {
  if (typeof input === 'string') return { text: input };
  return 'question' in input ? { question: input.question } : input;
}

/** The best of several answers in front of all of them; of a tagged text, its entities. */
function fieldsOf(answer: object | readonly object[]): object {
  if (!Array.isArray(answer)) return answer;
  const [best] = answer as readonly object[];
  if (best && 'label' in best) return { ...best, scores: answer };
  return best && 'answer' in best ? { ...best, answers: answer } : { entities: answer };
}
