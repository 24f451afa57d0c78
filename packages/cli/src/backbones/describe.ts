/** Backbones in words: a line of a listing, or all about one. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Backbone, maxPromptLength, openBackbone, usableTokens } from '@polyprompt/backbone';
import { bytes, count, millions } from '../format.ts';
import { facts } from '../table.ts';
import { parseStorePlace, type StoreOptions, withStore } from './store.ts';

/** A backbone in a listing. */
export interface Row {
  readonly name: string;
  /** Bytes of all its files. */
  readonly size: number;
  readonly about: string;
  readonly dir?: string;
  readonly fingerprint?: string;
}

/** A folder that cannot be opened is listed with the reason: it takes room all the same. */
export function localRow(dir: string): Row {
  const name = basename(dir);
  try {
    const { spec, parameters, checkpoint } = openBackbone(dir);
    const size = checkpoint.files.reduce((sum, { path }) => sum + statSync(path).size, 0);
    const source = sourceOf(dir);
    const about = `${spec.modelType}, ${millions(parameters)} parameters${source ? `, from ${source}` : ''}`;
    return { name, size, about, dir };
  } catch (error) {
    return { name, size: 0, about: (error as Error).message, dir };
  }
}

function sourceOf(dir: string): string | undefined {
  const path = join(dir, 'hub.json');
  if (!existsSync(path)) return undefined;
  const { repo, commit } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  return `${repo}@${String(commit).slice(0, 12)}`;
}

export async function storedRows(place: string, options: StoreOptions): Promise<Row[]> {
  const { bucket } = parseStorePlace(place);
  const manifests = await withStore(bucket, options, (backbones) => backbones.list());
  return manifests.map(({ id, fingerprint, files, created }) => ({
    name: id,
    size: files.reduce((sum, file) => sum + file.bytes, 0),
    about: `${fingerprint.slice(0, 19)}, since ${created.slice(0, 10)}`,
    fingerprint,
  }));
}

/** All that `backbone show` says. */
export async function describe(backbone: Backbone) {
  const { spec, checkpoint } = backbone;
  return {
    name: backbone.name,
    dir: backbone.dir,
    model_type: spec.modelType,
    layers: spec.layers,
    hidden: spec.hidden,
    heads: spec.heads,
    intermediate: spec.intermediate,
    parameters: backbone.parameters,
    dtypes: [...new Set([...checkpoint.tensors.values()].map(({ dtype }) => dtype))],
    files: checkpoint.files.map(({ name, path }) => ({ name, bytes: statSync(path).size })),
    tokenizer_size: backbone.tokenizer().vocabSize,
    vocabulary: spec.vocabSize,
    usable_tokens: usableTokens(spec, 0),
    max_prompt_length: maxPromptLength(spec),
    pooler: checkpoint.hasPooler,
    lm_head: checkpoint.hasLmHead,
    fingerprint: await backbone.fingerprint(),
  };
}

export function asText(about: Awaited<ReturnType<typeof describe>>): string {
  const yesOrNo = (value: boolean) => (value ? 'yes' : 'no');
  return facts([
    ['name', about.name],
    ['folder', about.dir],
    ['model type', about.model_type],
    [
      'shape',
      `${about.layers} layers of ${about.hidden}, ${about.heads} heads, ${about.intermediate} inside`,
    ],
    ['parameters', `${count(about.parameters)} (${millions(about.parameters)})`],
    ['dtype', about.dtypes.join(', ')],
    ['weights', about.files.map((file) => `${file.name} (${bytes(file.bytes)})`).join(', ')],
    ['tokenizer', `${count(about.tokenizer_size)} tokens (table of ${count(about.vocabulary)})`],
    [
      'usable tokens',
      `${count(about.usable_tokens)}, prompt included (prompts of up to ${count(about.max_prompt_length)})`,
    ],
    ['pooler', yesOrNo(about.pooler)],
    ['LM head', yesOrNo(about.lm_head)],
    ['fingerprint', about.fingerprint],
  ]);
}
