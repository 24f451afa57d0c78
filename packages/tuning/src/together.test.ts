/** Prompts trained side by side against each of them trained alone, on tiny backbones. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import { type Prompt, readPrompt } from '@polyprompt/prompts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Candidate, candidateName, parseCandidates } from './candidates.ts';
import { type JobRequest, runJob, runJobs } from './job.ts';
import type { TuningJob } from './plan.ts';

const WORDS = ['rain', 'snow', 'bread', 'soup', 'cat', 'dog', 'the', 'is', 'a'];
const folder = mkdtempSync(join(tmpdir(), 'polyprompt-together-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const backbone = join(folder, 'roberta');

function lines(count: number, labels: readonly string[]): string {
  const rows = Array.from({ length: count }, (_, i) => {
    const word = WORDS[2 * (i % labels.length) + (Math.floor(i / 3) % 2)];
    return {
      text: `the ${word} ${'a '.repeat(i % 5)}is ${word}`,
      label: labels[i % labels.length],
    };
  });
  return rows.map((row) => JSON.stringify(row)).join('\n');
}

/** Two data sets, of two and of three labels. */
const files = [
  ['weather', 'food'],
  ['weather', 'food', 'pets'],
].map((labels, i) => ({
  train: join(folder, `train${i}.jsonl`),
  dev: join(folder, `dev${i}.jsonl`),
  labels,
}));

beforeAll(() => {
  writeTinyBackbone(backbone, { family: 'roberta', words: WORDS, hidden: 16, layers: 2, std: 0.2 });
  for (const { train, dev, labels } of files) {
    writeFileSync(train, lines(30, labels));
    writeFileSync(dev, lines(12, labels));
  }
});

let jobs = 0;
function job(more: Partial<TuningJob> = {}): TuningJob {
  const { train, dev } = files[0]!;
  const settings = {
    task: 'text-classification' as const,
    length: 3,
    epochs: 3,
    batchSize: 8,
    learningRate: 0.02,
    patience: 0,
  };
  const out = join(folder, `out${jobs++}`);
  return { backbone, train, dev, out, settings, device: 'cpu', ...more };
}

function worstDeviation(a: Prompt, b: Prompt): number {
  const tensors = ['prefix', 'softPrompt', 'headWeight', 'headBias'] as const;
  const deviations = tensors.flatMap((name) => {
    expect(b[name]?.shape).toEqual(a[name]?.shape);
    return [...(a[name]?.data ?? [])].map((value, i) => Math.abs(value - b[name]!.data[i]!));
  });
  return Math.max(...deviations);
}

const promptIn = ({ out }: TuningJob) => readPrompt(out).prompt;

describe('candidates of one run', () => {
  const CANDIDATES = parseCandidates('lr=5e-3,2e-2;seed=1,2;length=2,5');

  for (const method of ['prefix', 'soft', 'head'] as const) {
    it(`come with ${method} to what each comes to alone`, async () => {
      const candidates = method === 'head' ? parseCandidates('lr=5e-3,2e-2;seed=1,2') : CANDIDATES;
      const settings = { ...job().settings, method };
      const alone: { prompt: Prompt; best: unknown; candidate: Candidate }[] = [];
      for (const candidate of candidates) {
        const one = job({ settings: { ...settings, ...candidate } });
        const { best } = await runJob(one);
        alone.push({ prompt: promptIn(one), best, candidate });
      }
      const all = job({ settings, candidates });
      const { card } = await runJob(all);
      expect(card.candidates).toHaveLength(candidates.length);
      card.candidates!.forEach(({ best, settings: own }, i) => {
        const expected = alone[i]!.best as { step: number; loss: number; metric: number };
        expect(own).toEqual(alone[i]!.candidate);
        expect(best?.step).toBe(expected.step);
        expect(best?.metric).toBeCloseTo(expected.metric, 5);
        expect(best?.loss).toBeCloseTo(expected.loss, 4);
      });
      const chosen = card.candidates!.findIndex(({ published }) => published);
      expect(worstDeviation(promptIn(all), alone[chosen]!.prompt)).toBeLessThan(1e-4);
      const scores = alone.map(({ best }) => (best as { metric: number }).metric);
      expect(scores[chosen]).toBe(Math.max(...scores));
      expect(card.settings).toMatchObject({ ...alone[chosen]!.candidate });
    });
  }

  it('go on where one of them has grown beyond all numbers when it is scored', async () => {
    // One step per epoch, so that the dev set is the first to see what a step made of the parameters.
    const settings = { ...job().settings, method: 'head' as const, batchSize: 30, epochs: 60 };
    const shape = { learningRate: 10, schedule: 'constant', warmup: 0, headDropout: 0 } as const;
    const growing = { ...shape, weightDecay: 0.7 };
    const candidates = [{ learningRate: 0.02 }, growing];
    const { card } = await runJob(job({ settings, candidates }));
    expect(card.candidates).toMatchObject([
      { diverged: false, published: true, steps: 60 },
      { diverged: true, published: false },
    ]);
    const alone = runJob(job({ settings: { ...settings, ...growing } }));
    await expect(alone).rejects.toMatchObject({ code: 'diverged' });
  });

  const WORD_DATA = {
    'token-classification': (i: number) => ({
      tokens: ['the', WORDS[i % 4]!, 'is', 'a', WORDS[(i * 3) % 4]!],
      tags: ['O', i % 4 < 2 ? 'B-SKY' : 'B-FOOD', 'O', 'O', (i * 3) % 4 < 2 ? 'B-SKY' : 'B-FOOD'],
    }),
    'question-answering': (i: number) => ({
      question: `the ${WORDS[i % 4]}`,
      context: `a ${WORDS[i % 4]} is a ${WORDS[(i + 1) % 4]} ${'a '.repeat(i % 3)}is the ${WORDS[4]}`,
      answers: [{ text: WORDS[i % 4]!, answer_start: 2 }],
    }),
  };

  for (const task of ['token-classification', 'question-answering'] as const) {
    it.each(['prefix', 'soft'] as const)(
      `come for ${task} by %s to the same, too`,
      async (method) => {
        const rows = Array.from({ length: 24 }, (_, i) => JSON.stringify(WORD_DATA[task](i)));
        const train = join(folder, `${task}.jsonl`);
        writeFileSync(train, rows.join('\n'));
        const settings = { ...job().settings, task, method, epochs: 1, maxTokens: 40 };
        const all = job({
          train,
          dev: train,
          settings,
          candidates: [{ length: 2 }, { length: 4 }],
        });
        const { card } = await runJob(all);
        for (const [i, length] of [2, 4].entries()) {
          const one = job({ train, dev: train, settings: { ...settings, length } });
          const { best } = await runJob(one);
          expect(card.candidates![i]!.best!.loss).toBeCloseTo(best.loss, 4);
          if (card.candidates![i]!.published) {
            expect(worstDeviation(promptIn(all), promptIn(one))).toBeLessThan(1e-4);
          }
        }
      },
    );
  }

  it('continue after interruptions to the same bytes', async () => {
    const candidates = parseCandidates('seed=1,2;length=2,4');
    const whole = job({ candidates });
    await runJob(whole);
    const broken = job({ candidates, resume: true });
    for (const stopAt of [2, 5, 9]) {
      let step = 0;
      const stopped = runJob(broken, {
        onEvent: (event) => {
          step = 'step' in event ? event.step : step;
        },
        shouldStop: () => step >= stopAt,
      });
      await expect(stopped).rejects.toMatchObject({ code: 'interrupted' });
    }
    await runJob(broken);
    const hash = ({ out }: TuningJob) =>
      createHash('sha256')
        .update(readFileSync(join(out, 'prompt.safetensors')))
        .digest('hex');
    expect(hash(broken)).toBe(hash(whole));
  });

  it('are refused for full fine-tuning, and beyond a number', async () => {
    const full = { ...job().settings, method: 'full' as const };
    const refused = runJob(job({ settings: full, candidates: [{ seed: 1 }, { seed: 2 }] }));
    await expect(refused).rejects.toThrow(/candidates share the frozen backbone/);
    const seeds = Array.from({ length: 65 }, (_, i) => ({ seed: i }));
    await expect(runJob(job({ candidates: seeds }))).rejects.toThrow(/65 candidates are more/);
  });
});

describe('jobs side by side', () => {
  it('of different data, labels, lengths and batches come to what each comes to alone', async () => {
    const requests = (): JobRequest[] => [
      { job: job() },
      { job: job({ ...files[1]!, settings: { ...job().settings, length: 6, batchSize: 5 } }) },
      { job: job({ ...files[1]!, settings: { ...job().settings, pooling: 'first', epochs: 2 } }) },
      { job: job({ settings: { ...job().settings, method: 'soft' } }) },
    ];
    const together = requests();
    const outcomes = await runJobs(together);
    const alone = requests();
    for (const { job } of alone) await runJob(job);
    outcomes.forEach((outcome, i) => {
      expect(outcome.status).toBe('fulfilled');
      const prompts = [together[i]!.job, alone[i]!.job].map(promptIn) as [Prompt, Prompt];
      expect(worstDeviation(...prompts)).toBeLessThan(1e-4);
      expect(prompts[0].labels).toEqual(prompts[1].labels);
    });
  });

  it('end each in its own way', async () => {
    let asked = 0;
    const outcomes = await runJobs([
      { job: job() },
      { job: job({ train: join(folder, 'none.jsonl') }) },
      { job: job({ resume: true }), hooks: { shouldStop: () => asked++ > 4 } },
    ]);
    expect(outcomes).toMatchObject([
      { status: 'fulfilled', value: { steps: 12 } },
      { status: 'rejected', reason: { code: 'bad_data' } },
      { status: 'rejected', reason: { code: 'interrupted' } },
    ]);
  });
});

describe('parseCandidates', () => {
  it('makes every combination, in the words that it reads', () => {
    const all = parseCandidates(' lr=1e-3,5e-3; seed=1,2 ;schedule=linear;');
    expect(all).toHaveLength(4);
    expect(all[1]).toEqual({ learningRate: 1e-3, seed: 2, schedule: 'linear' });
    expect(candidateName(all[1]!)).toBe('lr=0.001 seed=2 schedule=linear');
  });

  it.each([
    ['', /there are none/],
    ['rate=1', /"rate" is none of lr, seed, length/],
    ['lr=1e-3,x', /"x" is no value of lr/],
    ['lr=1e-3,', /"" is no value of lr/],
    ['lr', /"lr" is no list of values/],
    ['lr=1=2', /"lr=1=2" is no list/],
    ['seed=1;seed=2', /seed is given twice/],
    ['toString=1', /"toString" is none of/],
    [`seed=${Array.from({ length: 65 }, (_, i) => i)}`, /65 combinations are more than 64/],
  ])('refuses %j', (text, message) => {
    expect(() => parseCandidates(text)).toThrow(message);
  });
});
