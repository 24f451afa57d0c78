/**
 * What tuning did to the states of a text: a linear classifier across languages, a 2-D picture, and
 * how far the states moved from the untouched backbone's.
 */
import type { Backbone, PoolingRule, PromptTensors } from '@polyprompt/backbone';
import type { Example, Piece, Task, TaskTypes } from '@polyprompt/tasks';
import { PCA } from 'ml-pca';
import { type Alignment, alignment, fitClassifier, halves, type States } from './boundary.ts';
import { pooledStates } from './states.ts';

export interface Point {
  readonly language: string;
  readonly label: string;
  readonly x: number;
  readonly y: number;
}

export interface Analysis {
  readonly alignment: Readonly<Record<string, Alignment>>;
  readonly projection: readonly Point[];
  /** Mean over texts of |state - untouched state| / |untouched state|; 0 for the backbone itself. */
  readonly moved: number;
}

/** Texts of one language as rows for the backbone, with their classes. */
export interface AnalysedTexts {
  readonly language: string;
  readonly pieces: readonly Piece[];
  readonly classes: readonly number[];
}

/** Points of each language that the picture shows. */
const SHOWN = 60;

export async function readTexts(
  task: Task<TaskTypes>,
  language: string,
  examples: readonly Example<unknown, unknown>[],
  labels: readonly string[],
  backbone: Backbone,
  maxTokens: number,
): Promise<AnalysedTexts> {
  const causal = backbone.spec.family === 'xglm';
  const limits = { maxTokens, truncate: true, causal };
  const { features } = await task.features(examples, labels, backbone.tokenizer(), limits);
  return { language, pieces: features, classes: features.map(({ target }) => target as number) };
}

export interface AnalysedModel {
  readonly backbone: Backbone;
  readonly prompt: PromptTensors | null;
  readonly pooling: PoolingRule;
}

/**
 * @param texts of all languages, English ("en") among them
 * @param untouched states of the same texts in the untouched backbone, null for itself
 */
export async function analyse(
  { backbone, prompt, pooling }: AnalysedModel,
  texts: readonly AnalysedTexts[],
  labels: readonly string[],
  untouched: ReadonlyMap<string, Float32Array> | null,
): Promise<{ readonly analysis: Analysis; readonly states: Map<string, Float32Array> }> {
  const { hidden } = backbone.spec;
  const states = new Map<string, Float32Array>();
  for (const { language, pieces } of texts) {
    states.set(language, await pooledStates(backbone, pieces, prompt, pooling));
  }
  const of = ({ language, classes }: AnalysedTexts): States => ({
    data: states.get(language)!,
    hidden,
    classes,
  });
  const english = texts.find(({ language }) => language === 'en');
  const aligned: Record<string, Alignment> = {};
  if (english) {
    // From as many texts as the classifiers that it is compared with.
    const classifier = await fitClassifier(halves(of(english))[0], labels.length);
    for (const each of texts) {
      if (each !== english) aligned[each.language] = await alignment(classifier, of(each));
    }
  }
  const projection = project(texts, states, hidden, labels);
  const moved = untouched ? distance(texts, states, untouched, hidden) : 0;
  return { analysis: { alignment: aligned, projection, moved }, states };
}

function project(
  texts: readonly AnalysedTexts[],
  states: ReadonlyMap<string, Float32Array>,
  hidden: number,
  labels: readonly string[],
): Point[] {
  const rows = texts.flatMap(({ language, classes }) => {
    const data = states.get(language)!;
    return classes.slice(0, SHOWN).map((value, i) => ({
      language,
      label: labels[value]!,
      values: Array.from(data.subarray(i * hidden, (i + 1) * hidden)),
    }));
  });
  if (rows.length < 3) return [];
  const pca = new PCA(rows.map(({ values }) => values));
  const places = pca.predict(
    rows.map(({ values }) => values),
    { nComponents: 2 },
  );
  const rounded = (value: number) => Number(value.toFixed(3));
  return rows.map(({ language, label }, i) => ({
    language,
    label,
    x: rounded(places.get(i, 0)),
    y: rounded(places.get(i, 1)),
  }));
}

function distance(
  texts: readonly AnalysedTexts[],
  states: ReadonlyMap<string, Float32Array>,
  untouched: ReadonlyMap<string, Float32Array>,
  hidden: number,
): number {
  let total = 0;
  let count = 0;
  for (const { language, classes } of texts) {
    const [now, before] = [states.get(language)!, untouched.get(language)!];
    for (let row = 0; row < classes.length; row++) {
      let [moved, norm] = [0, 0];
      for (let h = row * hidden; h < (row + 1) * hidden; h++) {
        moved += (now[h]! - before[h]!) ** 2;
        norm += before[h]! ** 2;
      }
      total += Math.sqrt(moved / norm);
      count += 1;
    }
  }
  return total / Math.max(1, count);
}
