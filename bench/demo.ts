/**
 * npm run demo: trains a topic prompt on English sentences and classifies sentences in sixteen
 * languages, with what ships with the project and nothing else. No network; a minute on two cores.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBackbone } from '@polyprompt/backbone';
import { loadPrompt, showProgress, table } from '@polyprompt/cli';
import { type ClassificationScores, textClassification as task } from '@polyprompt/tasks';
import { answerInputs, tuneInWorker } from '@polyprompt/tuning';

const EPOCHS = 12; // the recipe's 30 are a little better and take twice as long
const root = fileURLToPath(new URL('..', import.meta.url));
const backboneDir = join(root, 'models/polyprompt-mini');
const topics = (name: string) => join(root, 'examples/topics', name);
const shown = (path: string) => relative(root, path);
const number = (value: number) => value.toLocaleString('en');
const languageName = new Intl.DisplayNames('en', { type: 'language' });

const out = mkdtempSync(join(tmpdir(), 'polyprompt-demo-'));
process.on('exit', () => rmSync(out, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const begun = performance.now();
let steps = 0;
async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  console.log(`\n${++steps}. ${title}`);
  const started = performance.now();
  const result = await work();
  console.log(`   (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  return result;
}
const say = (text: string) => console.log(text.replaceAll(/^/gm, '   '));

await step(`Open the backbone ${shown(backboneDir)}`, async () => {
  const { spec, parameters, tokenizer, fingerprint } = openBackbone(backboneDir);
  say(
    `${spec.modelType}: ${spec.layers} layers of ${spec.hidden}, ${number(parameters)} parameters, ` +
      `${number(tokenizer().vocabSize)} tokens\n${await fingerprint()}`,
  );
});

await step('Train a topic prompt on English sentences; the backbone stays as it is', async () => {
  const progress = showProgress(process.stdout);
  const { card, best, steps } = await tuneInWorker(
    {
      backbone: backboneDir,
      train: topics('train.jsonl'),
      dev: topics('dev.jsonl'),
      out,
      settings: { task: task.name, epochs: EPOCHS },
    },
    { onEvent: progress.onEvent },
  );
  progress.stop();
  const { parameters } = openBackbone(backboneDir);
  const share = ((100 * card.parameters) / parameters).toFixed(2);
  say(
    `${card.training.examples.train} sentences, ${steps} steps, ${number(card.parameters)} tuned ` +
      `values (${share} % of the backbone)\nbest dev accuracy ${best.metric.toFixed(3)}; topics: ` +
      card.labels.join(', '),
  );
});

const { loaded, test, answers } = await step(
  `Evaluate ${shown(topics('test.jsonl'))}, the same sentences in every language`,
  async () => {
    const loaded = await loadPrompt(out, { backbone: backboneDir });
    const bytes = readFileSync(topics('test.jsonl'));
    const { examples: test } = task.parse({ name: 'test.jsonl', bytes }, { purpose: 'evaluate' });
    const outcomes = await answerInputs(
      loaded,
      task,
      test.map(({ input }) => input),
    );
    const answers = outcomes.map(({ answer }) => answer!);
    const { languages, metrics, examples } = task.evaluate(test, answers, loaded.prompt.labels);
    const row = (name: string, scores: Pick<ClassificationScores, 'examples' | 'metrics'>) => [
      name,
      number(scores.examples),
      scores.metrics.accuracy.toFixed(3),
      scores.metrics.f1_macro.toFixed(3),
    ];
    const rows = Object.entries(languages).map(([tag, scores]) => row(nameOf(tag), scores));
    const all = row('all', { examples, metrics });
    say(table(['language', 'sentences', 'accuracy', 'f1_macro'], [...rows, all], 'lrrr'));
    return { loaded, test, answers };
  },
);

await step('A sentence of each language', async () => {
  const byLanguage = Map.groupBy(test.keys(), (i) => test[i]!.language ?? '');
  const rows = [...byLanguage].map(([tag, indices], n) => {
    // Another sentence each time, so that all topics occur.
    const at = indices[(n * 5) % indices.length]!;
    const [best] = answers[at]!;
    const right = best!.label === test[at]!.gold;
    return [
      nameOf(tag),
      best!.label,
      best!.score.toFixed(2),
      right ? '' : `(is ${test[at]!.gold})`,
      test[at]!.input.text,
    ];
  });
  say(table(['language', 'topic', 'score', '', 'sentence'], rows, 'llrll'));
});
await loaded.predictor.release();

console.log(`
Done in ${((performance.now() - begun) / 1000).toFixed(0)} s. With your own sentences, in JSONL, CSV or TSV with the columns text and label:

  npx polyprompt tune --train train.jsonl --dev dev.jsonl --out my-prompt
  npx polyprompt evaluate --prompt my-prompt --data test.jsonl
  npx polyprompt predict --prompt my-prompt --text "..."
`);

function nameOf(tag: string): string {
  return tag === '' ? '-' : (languageName.of(tag) ?? tag);
}
