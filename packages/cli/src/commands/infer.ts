/** `polyprompt infer`: what `predict` does, at a service. */
import type { Command } from 'commander';
import { CliError } from '../errors.ts';
import { withAnswers, withTexts } from '../options.ts';
import type { Service } from '../remote/client.ts';
import { type RemoteOptions, remoteCommand, withService } from '../remote/command.ts';
import type { TaskOptions } from '../tasks/view.ts';

interface Options extends RemoteOptions, Omit<TaskOptions, 'maxTokens'> {
  readonly truncate?: boolean;
  readonly splitKey?: string;
}

export function inferCommand(): Command {
  const command = remoteCommand('infer', 'Answer texts at a service: one line of JSON per text.', [
    'infer topics --text "Der Zug hat Verspätung." "Il pleut."',
    'infer topics@3 --text "Il pleut." --top-k 1 --json',
    'infer names --text "Klara wohnt in Köln." --offset-unit utf16',
    'infer qa --question "Who wrote it?" --context "Ann wrote it. Bob read it."',
    'infer qa --question "Who burnt it?" --context "Ann wrote it." --handle-impossible',
  ]).argument('<prompt>', 'name (its production alias), name@alias, name@version, or an ft: id');
  return withAnswers(withTexts(command))
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
