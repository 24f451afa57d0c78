/** `polyprompt infer`: what `predict` does, at a service. */
import { AGGREGATIONS, OFFSET_UNITS } from '@polyprompt/tasks';
import { type Command, Option } from 'commander';
import { CliError } from '../errors.ts';
import { signed, whole } from '../options.ts';
import type { Service } from '../remote/client.ts';
import { type RemoteOptions, remoteCommand, withService } from '../remote/command.ts';
import type { TaskOptions } from '../tasks/view.ts';

interface Options extends RemoteOptions, Omit<TaskOptions, 'maxTokens'> {
  readonly truncate?: boolean;
  readonly splitKey?: string;
}

export function inferCommand(): Command {
  return remoteCommand('infer', 'Answer texts at a service: one line of JSON per text.', [
    'infer topics --text "Der Zug hat Verspätung." "Il pleut."',
    'infer topics@3 --text "Il pleut." --top-k 1 --json',
    'infer names --text "Klara wohnt in Köln." --offset-unit utf16',
    'infer qa --question "Who wrote it?" --context "Ann wrote it. Bob read it."',
    'infer qa --question "Who burnt it?" --context "Ann wrote it." --handle-impossible',
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
    .option('--ignore-labels <label...>', 'labels to leave out of the entities (default: O)')
    .option('--stride <n>', 'tokens that the windows of a long text share', whole(0))
    .addOption(new Option('--offset-unit <unit>', 'what offsets count').choices(OFFSET_UNITS))
    .option('--max-answer-tokens <n>', 'longest answer to a question (default: 30)', whole(1))
    .option('--handle-impossible', 'answer "" where the context does not hold the answer')
    .option(
      '--null-threshold <n>',
      "how much surer than of an answer that takes; a log ratio (default: the prompt's own)",
      signed,
    )
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
  options: Options,
): Promise<void> {
  const { splitKey, json } = options;
  const response = await service.request('infer', {
    params: { model },
    json: {
      inputs,
      parameters: parametersOf(options),
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

/** Every task reads its own of them. */
function parametersOf(options: Options): object {
  const { nullThreshold, handleImpossible, stride } = options;
  return {
    top_k: options.topK,
    truncate: options.truncate,
    aggregation_strategy: options.aggregation,
    ignore_labels: options.ignoreLabels,
    stride,
    doc_stride: stride,
    offset_unit: options.offsetUnit,
    max_answer_len: options.maxAnswerTokens,
    // A threshold means nothing where every question has an answer.
    handle_impossible_answer: nullThreshold === undefined ? handleImpossible : true,
    null_threshold: nullThreshold,
  };
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
