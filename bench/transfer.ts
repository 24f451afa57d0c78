/**
 * npm run bench:transfer -- DIR: zero-shot cross-lingual transfer, prompt tuning against full
 * fine-tuning in one harness. DIR holds a folder per language with train.tsv, dev.tsv and test.tsv
 * (as SIB-200 does). Trains on English alone, selects on English dev, tests in every language, with
 * each method's default recipe. Options: --seeds N (3), --backbone DIR, --methods a,b, --markdown.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openBackbone } from '@polyprompt/backbone';
import { loadPrompt } from '@polyprompt/cli';
import { textClassification } from '@polyprompt/tasks';
import { answerInputs, runJob, type TuningInput } from '@polyprompt/tuning';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '3' },
    backbone: { type: 'string', default: join(import.meta.dirname, '../models/polyprompt-mini') },
    methods: { type: 'string', default: 'prefix,full' },
    recipe: { type: 'string', default: 'default' },
  },
});
const data = positionals[0];
if (!data || !existsSync(join(data, 'en/train.tsv'))) {
  console.error('usage: npm run bench:transfer -- DIR   (DIR/en/train.tsv must exist)');
  process.exit(2);
}
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i + 1);
const methods = values.methods.split(',') as NonNullable<TuningInput['method']>[];
const languages = readdirSync(data)
  .filter((name) => existsSync(join(data, name, 'test.tsv')))
  .sort((a, b) => Number(b === 'en') - Number(a === 'en') || (a < b ? -1 : 1));
const scratch = mkdtempSync(join(tmpdir(), 'polyprompt-transfer-'));

/** Accuracy in percent by language, for one trained prompt. */
async function accuracies(prompt: string, backbone?: string): Promise<Map<string, number>> {
  const loaded = await loadPrompt(prompt, backbone ? { backbone } : {});
  const results = new Map<string, number>();
  for (const language of languages) {
    const name = `${language}/test.tsv`;
    const bytes = readFileSync(join(data!, name));
    const { examples } = textClassification.parse({ name, bytes }, { purpose: 'evaluate' });
    const inputs = examples.map(({ input }) => input);
    const outcomes = await answerInputs(loaded, textClassification, inputs, { truncate: true });
    const answers = outcomes.map(({ answer }) => answer!);
    const { metrics } = textClassification.evaluate(examples, answers, loaded.prompt.labels);
    results.set(language, 100 * metrics.accuracy!);
  }
  await loaded.predictor.release();
  return results;
}

const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;
const spread = (numbers: readonly number[]) => {
  const centre = mean(numbers);
  return Math.sqrt(mean(numbers.map((x) => (x - centre) ** 2)));
};
const show = (numbers: readonly number[]) =>
  `${mean(numbers).toFixed(1)} ± ${spread(numbers).toFixed(1)}`;

const scores = new Map<string, Map<string, number>[]>();
const lines: string[] = [];
try {
  for (const method of methods) {
    scores.set(method, []);
    for (const seed of seeds) {
      const out = join(scratch, `${method}-${seed}`);
      const { steps, seconds, tokens, best } = await runJob({
        backbone: values.backbone,
        train: join(data, 'en/train.tsv'),
        dev: join(data, 'en/dev.tsv'),
        out,
        settings: { task: 'text-classification', method, seed, recipe: values.recipe },
      });
      const own = method === 'full' ? undefined : values.backbone;
      scores.get(method)!.push(await accuracies(out, own));
      rmSync(out, { recursive: true });
      console.error(
        `${method} seed ${seed}: best at step ${best.step} of ${steps}, dev ${(100 * best.metric).toFixed(1)} %, ` +
          `${seconds.toFixed(0)} s, ${(tokens / seconds).toFixed(0)} tokens/s`,
      );
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

const of = (method: string, choose: (byLanguage: Map<string, number>) => number) =>
  scores.get(method)!.map(choose);
const row = (name: string, choose: (byLanguage: Map<string, number>) => number) =>
  lines.push(`| ${name} | ${methods.map((method) => show(of(method, choose))).join(' | ')} |`);
const others = languages.filter((language) => language !== 'en');
lines.push(
  `| test accuracy, % | ${methods.join(' | ')} |`,
  `|---|${methods.map(() => '---:|').join('')}`,
);
for (const language of languages) row(language, (scored) => scored.get(language)!);
const meanOf = (names: readonly string[]) => (scored: Map<string, number>) =>
  mean(names.map((name) => scored.get(name)!));
row('**mean of all**', meanOf(languages));
row('**mean without en**', meanOf(others));
row('gap: en − mean of others', (scored) => scored.get('en')! - meanOf(others)(scored));
const { name, parameters } = openBackbone(values.backbone);
console.log(
  `${name}, ${(parameters / 1e6).toFixed(1)} M parameters; ${seeds.length} seeds, mean ± standard deviation\n`,
);
console.log(lines.join('\n'));
