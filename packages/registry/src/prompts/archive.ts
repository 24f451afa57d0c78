/** A version as files by path, to be packed by whoever sends it: `<name>/prompt.safetensors`, `<name>/card.json`. */
import { CARD_FILE, type PackedPrompt, PROMPT_FILE } from '@polyprompt/prompts';
import { RegistryError } from '../errors.ts';

export type ArchiveFiles = Readonly<Record<string, Uint8Array>>;

export function toArchive(name: string, { prompt, card }: PackedPrompt): ArchiveFiles {
  return { [`${name}/${PROMPT_FILE}`]: prompt, [`${name}/${CARD_FILE}`]: card };
}

/**
 * Finds the two files, in one folder of any name and depth or in none; other files are passed over.
 * @returns `name` is that of the folder
 * @throws RegistryError `bad_archive`
 */
export function fromArchive(files: ArchiveFiles): {
  name: string | undefined;
  packed: PackedPrompt;
} {
  const paths = Object.keys(files).filter((path) => lastOf(path) === PROMPT_FILE);
  const [path] = paths;
  if (path === undefined || paths.length > 1) {
    throw new RegistryError(
      'bad_archive',
      `the archive has ${paths.length} files ${PROMPT_FILE}; it must have one, with ${CARD_FILE} beside it`,
    );
  }
  const folder = path.slice(0, -PROMPT_FILE.length);
  const card = files[folder + CARD_FILE];
  if (!card)
    throw new RegistryError(
      'bad_archive',
      `the archive has no ${folder}${CARD_FILE}; export it again`,
    );
  const name = lastOf(folder.slice(0, -1));
  return {
    name: name === '' || name === '.' ? undefined : name,
    packed: { prompt: files[path]!, card },
  };
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
