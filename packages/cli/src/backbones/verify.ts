/** Whether a model folder works: every weight a number, a tokenizer that knows its words, a text that runs. */
import { type Backbone, openBackbone, Predictor, type PromptTensors } from '@polyprompt/backbone';
import { scanWeights } from './scan.ts';

export interface Verified {
  readonly name: string;
  readonly dir: string;
  readonly fingerprint: string;
  /** What is wrong; empty if nothing is. */
  readonly problems: readonly string[];
}

export interface VerifyOptions {
  /** What the fingerprint must be. */
  readonly fingerprint?: string;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Six scripts; a multilingual tokenizer has pieces for most of them. */
const PROBES = [
  'The weather is fine today.',
  'Сегодня хорошая погода.',
  '今天天气很好。',
  'الطقس جميل اليوم.',
  'आज मौसम अच्छा है।',
  'Ο καιρός είναι καλός σήμερα.',
];

/** @throws BackboneError when the folder cannot be opened at all */
export async function verifyBackbone(
  dir: string,
  { fingerprint: wanted, onProgress }: VerifyOptions = {},
): Promise<Verified> {
  const backbone = openBackbone(dir);
  const problems = await scanWeights(backbone.checkpoint, onProgress ? { onProgress } : {});
  const fingerprint = await backbone.fingerprint();
  if (wanted !== undefined && wanted !== fingerprint) {
    problems.push(`the fingerprint is ${fingerprint}, not ${wanted}`);
  }
  if (problems.length === 0) problems.push(...(await probe(backbone)));
  return { name: backbone.name, dir: backbone.dir, fingerprint, problems };
}

async function probe(backbone: Backbone): Promise<string[]> {
  const { spec } = backbone;
  const encodings = await backbone.tokenizer().encodeBatch(PROBES);
  const tokens = encodings.map(({ ids }) => ids);
  const largest = Math.max(...tokens.flatMap((ids) => [...ids]));
  if (largest >= spec.vocabSize) {
    return [
      `the tokenizer gives token ${largest}, the model has ${spec.vocabSize}; they do not belong together`,
    ];
  }
  const short = tokens.findIndex((ids) => ids.length < 3);
  if (short >= 0) return [`the tokenizer makes nothing of ${JSON.stringify(PROBES[short])}`];
  if (new Set(tokens.map((ids) => ids.join())).size === 1) {
    return ['the tokenizer gives the same tokens for different texts'];
  }
  const predictor = new Predictor(backbone, { device: 'cpu' });
  try {
    const rows = tokens.map((ids) => ({ ids: [...ids], prompt: headOfOnes(spec.hidden) }));
    const states = (await predictor.predict(rows)).map(({ pooled }) => pooled[0]!);
    return states.every(Number.isFinite)
      ? []
      : [`the model gives ${states.find((state) => !Number.isFinite(state))} for a text`];
  } finally {
    await predictor.release();
  }
}

function headOfOnes(hidden: number): PromptTensors {
  return {
    headWeight: { shape: [hidden, 1], data: new Float32Array(hidden).fill(1) },
    headBias: { shape: [1], data: new Float32Array(1) },
    pooling: 'mean',
    positions: 'shifted',
  };
}
