/**
 * Are decision boundaries aligned across languages? A linear classifier is fitted to the English
 * states of a frozen model and read in every language, beside one that is fitted there. The exact
 * procedure of Tu et al. could not be sourced; this is ours.
 */
import {
  AdamW,
  add,
  compile,
  Graph,
  gradients,
  logSoftmax,
  matmul,
  mul,
  neg,
  reduceMean,
  reduceSum,
  type TensorData,
} from '@polyprompt/autodiff';

export interface States {
  /** Row-major [n, hidden]. */
  readonly data: Float32Array;
  readonly hidden: number;
  /** Class of each row. */
  readonly classes: readonly number[];
}

export interface Alignment {
  /** Accuracy of the English classifier on the language's held-out half. */
  readonly english: number;
  /** Accuracy of the classifier fitted on the language's other half. */
  readonly refitted: number;
  /** Share of the held-out half on which both say the same. */
  readonly agreement: number;
}

export interface LinearClassifier {
  /** [hidden, classes] */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly classes: number;
  readonly hidden: number;
  readonly mean: Float32Array;
  readonly scale: Float32Array;
}

const STEPS = 300;
const RATE = 0.05;
/** Ridge penalty: without it a separable set has no finite optimum. */
const RIDGE = 1e-3;

/** Multinomial logistic regression on standardised states, by full-batch AdamW. Deterministic. */
export async function fitClassifier(states: States, classes: number): Promise<LinearClassifier> {
  const { hidden } = states;
  const n = states.classes.length;
  const { mean, scale } = moments(states);
  const weight = new Float32Array(hidden * classes);
  const bias = new Float32Array(classes);
  const graph = new Graph();
  const w = graph.input('w', 'float32', [hidden, classes]);
  const b = graph.input('b', 'float32', [classes]);
  const x = graph.input('x', 'float32', ['N', hidden]);
  const y = graph.input('y', 'float32', ['N', classes]);
  const fit = neg(reduceMean(reduceSum(mul(y, logSoftmax(add(matmul(x, w), b))), [1])));
  const loss = add(fit, mul(reduceSum(mul(w, w)), RIDGE));
  const [dw, db] = gradients(loss, [w, b]);
  const program = await compile({ dw: dw!, db: db! });
  const target = new Float32Array(n * classes);
  states.classes.forEach((value, i) => {
    target[i * classes + value] = 1;
  });
  const fixed: Record<string, TensorData> = {
    x: { data: standardised(states, mean, scale), shape: [n, hidden] },
    y: { data: target, shape: [n, classes] },
  };
  const optimizer = new AdamW([weight, bias]);
  try {
    for (let step = 0; step < STEPS; step++) {
      const result = await program.run({
        ...fixed,
        w: { data: weight, shape: [hidden, classes] },
        b: { data: bias, shape: [classes] },
      });
      const grads = [result.dw!.data as Float32Array, result.db!.data as Float32Array];
      optimizer.step(grads, RATE * (1 - step / STEPS), 0, 1);
    }
  } finally {
    await program.release();
  }
  return { weight, bias, classes, hidden, mean, scale };
}

/** The class of each row. */
export function predictClasses(classifier: LinearClassifier, states: States): number[] {
  const { weight, bias, classes, hidden, mean, scale } = classifier;
  const x = standardised(states, mean, scale);
  return states.classes.map((_, row) => {
    let best = 0;
    let most = -Infinity;
    for (let c = 0; c < classes; c++) {
      let score = bias[c]!;
      for (let h = 0; h < hidden; h++) score += x[row * hidden + h]! * weight[h * classes + c]!;
      if (score > most) {
        most = score;
        best = c;
      }
    }
    return best;
  });
}

/** How the English classifier does in a language, beside one refitted on half of its states. */
export async function alignment(english: LinearClassifier, states: States): Promise<Alignment> {
  const [fitted, held] = halves(states);
  const own = await fitClassifier(fitted, english.classes);
  const transferred = predictClasses(english, held);
  const refitted = predictClasses(own, held);
  const share = (hit: (i: number) => boolean) =>
    held.classes.filter((_, i) => hit(i)).length / Math.max(1, held.classes.length);
  return {
    english: share((i) => transferred[i] === held.classes[i]),
    refitted: share((i) => refitted[i] === held.classes[i]),
    agreement: share((i) => transferred[i] === refitted[i]),
  };
}

/** Every other row, so that the order of a file does not matter. */
export function halves({ data, hidden, classes }: States): [States, States] {
  const part = (odd: number): States => {
    const rows = classes.map((_, i) => i).filter((i) => i % 2 === odd);
    const values = new Float32Array(rows.length * hidden);
    rows.forEach((row, i) => {
      values.set(data.subarray(row * hidden, (row + 1) * hidden), i * hidden);
    });
    return { data: values, hidden, classes: rows.map((row) => classes[row]!) };
  };
  return [part(0), part(1)];
}

function moments({ data, hidden, classes }: States) {
  const n = Math.max(1, classes.length);
  const mean = new Float32Array(hidden);
  const scale = new Float32Array(hidden);
  for (let i = 0; i < data.length; i++) mean[i % hidden]! += data[i]! / n;
  for (let i = 0; i < data.length; i++)
    scale[i % hidden]! += (data[i]! - mean[i % hidden]!) ** 2 / n;
  for (let h = 0; h < hidden; h++) scale[h] = 1 / Math.sqrt(scale[h]! + 1e-8);
  return { mean, scale };
}

function standardised(
  { data, hidden }: States,
  mean: Float32Array,
  scale: Float32Array,
): Float32Array {
  return data.map((value, i) => (value - mean[i % hidden]!) * scale[i % hidden]!);
}
