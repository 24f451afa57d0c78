/** Points that prompts lose when they are served in int8: trained in float32, scored in both. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadPrompt } from '@polyprompt/cli';
import { type TaskName, taskOf } from '@polyprompt/tasks';
import { answerInputs, runJob } from '@polyprompt/tuning';
import { prepareXtreme } from './xtreme.ts';

export interface QualityOptions {
  readonly backbone: string;
  /** Folder of labelled data; without it, only the examples that ship. */
  readonly data: string | undefined;
  readonly scratch: string;
  readonly tasks: readonly string[];
  readonly epochs?: number;
}

const TASKS: Readonly<Record<string, TaskName>> = {
  sib200: 'text-classification',
  nollysenti: 'text-classification',
  pawsx: 'text-classification',
  ner: 'token-classification',
  udpos: 'token-classification',
  xquad: 'question-answering',
  tydiqa: 'question-answering',
};
const EXAMPLES = join(import.meta.dirname, '../examples/topics');

export async function quality({ backbone, data, scratch, ...what }: QualityOptions): Promise<void> {
  const prompt = join(EXAMPLES, 'prompt');
  await compare('examples/topics', prompt, undefined, { all: join(EXAMPLES, 'test.jsonl') });
  if (data === undefined) return;
  if (!existsSync(data)) throw new Error(`${data} does not exist; give a folder of labelled data`);
  const source = join(scratch, 'data');
  const manifest = prepareXtreme(data, source);
  for (const name of what.tasks) {
    const entry = manifest[name];
    if (!entry || !TASKS[name]) {
      throw new Error(`${data} has no ${name}; it has ${Object.keys(manifest).join(', ')}`);
    }
    const out = join(scratch, name);
    await runJob({
      backbone,
      train: join(source, entry.train),
      ...(entry.dev ? { dev: join(source, entry.dev) } : {}),
      out,
      settings: { task: TASKS[name], ...(what.epochs ? { epochs: what.epochs } : {}) },
    });
    const tests = Object.entries(entry.test).map(([lang, file]) => [lang, join(source, file)]);
    await compare(name, out, backbone, Object.fromEntries(tests));
  }
}

async function compare(
  name: string,
  prompt: string,
  backbone: string | undefined,
  tests: Readonly<Record<string, string>>,
): Promise<void> {
  const float32 = await scores(prompt, backbone, tests, 'float32');
  const int8 = await scores(prompt, backbone, tests, 'int8');
  const lost = Object.keys(tests).map((language) => float32.get(language)! - int8.get(language)!);
  const [before, after] = [float32, int8].map((by) => mean([...by.values()]));
  console.log(
    `${name}: ${before!.toFixed(2)} with float32, ${after!.toFixed(2)} with int8; ` +
      `${(before! - after!).toFixed(2)} points lost on average of ${lost.length} languages, ${Math.max(...lost).toFixed(2)} in the worst`,
  );
}

/** The task's metric in points, by language. */
async function scores(
  dir: string,
  backbone: string | undefined,
  tests: Readonly<Record<string, string>>,
  precision: 'float32' | 'int8',
): Promise<Map<string, number>> {
  const loaded = await loadPrompt(dir, {
    device: 'cpu',
    precision,
    ...(backbone ? { backbone } : {}),
  });
  const task = taskOf(loaded.prompt.task);
  const results = new Map<string, number>();
  for (const [language, file] of Object.entries(tests)) {
    const { examples } = task.parse(
      { name: file, bytes: readFileSync(file) },
      { purpose: 'evaluate' },
    );
    const inputs = examples.map(({ input }) => input);
    const outcomes = await answerInputs(loaded, task, inputs, { truncate: true });
    const answers = outcomes.map(({ answer }) => answer!);
    const { metrics } = task.evaluate(examples, answers, loaded.prompt.labels);
    results.set(language, 100 * metrics[task.metric]!);
  }
  await loaded.predictor.release();
  return results;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0) / numbers.length;
}
