/** Adapters of Hugging Face PEFT, as archives. */
import { ApiError } from '@polyprompt/contract';
import {
  exportPeft,
  importPeft,
  isPeft,
  type PackedPrompt,
  PromptError,
  packPrompt,
  unpackPrompt,
} from '@polyprompt/prompts';
import type { ArchiveFiles } from '@polyprompt/registry';
import type { ServedBackbone } from '../deps.ts';

export interface AdapterQuery {
  readonly task?: 'text-classification' | 'token-classification' | 'question-answering' | undefined;
  /** By commas, in the order of their indices. */
  readonly labels?: string | undefined;
}

/**
 * The folder of the adapter in an archive, ending in `/` or empty; undefined if it holds none.
 * @throws ApiError `archive.invalid` for more than one
 */
export function adapterFolder(files: ArchiveFiles): string | undefined {
  const paths = Object.keys(files).filter((path) => isPeft([nameOf(path)]));
  const folders = new Set(paths.map((path) => path.slice(0, path.length - nameOf(path).length)));
  const [folder] = folders;
  if (folders.size <= 1) return folder;
  const message = `the archive has ${folders.size} adapters, in ${[...folders].join(', ')}; import one at a time`;
  throw ApiError.unprocessable('archive.invalid', message);
}

/**
 * @returns `name` is that of the folder, if there is one
 * @throws ApiError `archive.invalid`, `backbone.not_found`
 */
export async function importAdapter(
  files: ArchiveFiles,
  folder: string,
  { task, labels }: AdapterQuery,
  backbone: ServedBackbone,
): Promise<{ readonly name: string | undefined; readonly packed: PackedPrompt }> {
  const inside = Object.entries(files)
    .filter(([path]) => path.startsWith(folder))
    .map(([path, bytes]) => [path.slice(folder.length), bytes]);
  const { prompt, details } = await onThisBackbone(async () =>
    importPeft(Object.fromEntries(inside), {
      backbone: await backbone.peft(),
      task,
      labels: labels?.split(',').map((label) => label.trim()),
    }),
  );
  const name = nameOf(folder.slice(0, -1));
  return {
    name: name === '' || name === '.' ? undefined : name,
    packed: packPrompt(prompt, details),
  };
}

/** @throws ApiError `backbone.not_found`, `invalid_value` */
export async function exportAdapter(
  name: string,
  packed: PackedPrompt,
  baseModel: string | undefined,
  backbone: ServedBackbone,
): Promise<ArchiveFiles> {
  const { files } = await onThisBackbone(async () =>
    exportPeft(unpackPrompt(packed).prompt, { backbone: await backbone.peft(), baseModel }),
  );
  return Object.fromEntries(
    Object.entries(files).map(([file, bytes]) => [`${name}/${file}`, bytes]),
  );
}

async function onThisBackbone<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof PromptError)) throw error;
    if (error.code === 'wrong_backbone') {
      throw ApiError.notFound('backbone.not_found', error.message);
    }
    if (error.code === 'not_exportable') {
      throw ApiError.unprocessable('invalid_value', error.message, 'format');
    }
    throw error;
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
