/** `polyprompt infer`: what `predict` does, at a service. */
import type { Command } from 'commander';
import { CliError } from '../errors.ts';
import { whole } from '../options.ts';
import type { Service } from '../remote/client.ts';
import { type RemoteOptions, remoteCommand, withService } from '../remote/command.ts';

interface Options extends RemoteOptions {
  readonly text: readonly string[];
  readonly textPair?: readonly string[];
  readonly topK?: number;
  readonly truncate?: boolean;
  readonly splitKey?: string;
}

export function inferCommand(): Command {
  return remoteCommand('infer', 'Classify texts at a service: one line of JSON per text.', [
    'infer topics --text "Der Zug hat Verspätung." "Il pleut."',
    'infer topics@3 --text "Il pleut." --top-k 1 --json',
  ])
    .argument('<prompt>', 'name (its production alias), name@alias, name@version, or an ft: id')
    .requiredOption('--text <text...>', 'texts to classify')
    .option('--text-pair <text...>', 'second texts, one for each --text')
    .option('--top-k <n>', 'only the best labels (default: all)', whole(1))
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

type Input = string | { readonly text: string; readonly text_pair: string };

function inputsOf({ text, textPair }: Options): readonly Input[] {
  if (textPair === undefined) return text;
  if (textPair.length !== text.length) {
    throw new CliError(
      'usage',
      `there are ${text.length} texts and ${textPair.length} second texts; give one --text-pair for each --text`,
    );
  }
  return text.map((one, i) => ({ text: one, text_pair: textPair[i]! }));
}

async function infer(
  service: Service,
  model: string,
  inputs: readonly Input[],
  { topK, truncate, splitKey, json }: Options,
): Promise<void> {
  const response = await service.request('infer', {
    params: { model },
    json: { inputs, parameters: { top_k: topK, truncate } },
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
    const scores = (answers as readonly (readonly object[])[])[i];
    console.log(
      JSON.stringify({
        line: i + 1,
        ...(typeof input === 'string' ? { text: input } : input),
        ...scores?.[0],
        scores,
        ...(cut.has(String(i)) && { truncated: true }),
      }),
    );
  });
  if (process.stderr.isTTY) console.error(`answered by ${version}`);
}
