/** Which files of a repository a backbone needs: a repository may hold the same weights in five formats. */
import { CliError } from '../errors.ts';
import type { HubFile } from './hub.ts';

const WEIGHTS = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
const PICKLE = /^pytorch_model(-\d+-of-\d+)?\.bin$/;
const SHARD = /^model-\d+-of-\d+\.safetensors$/;

/** In the order of download: what tells early that a model cannot be used comes first. */
export function chooseFiles(repo: string, files: readonly HubFile[]): HubFile[] {
  const find = (path: string) => files.find((file) => file.path === path);
  const config = find('config.json');
  if (config === undefined) {
    throw refused(`${repo} has no config.json; it is not a model in the Hugging Face layout`);
  }
  const single = find(WEIGHTS);
  const index = find(INDEX);
  const weights = single
    ? [single]
    : index
      ? [index, ...files.filter(({ path }) => SHARD.test(path))]
      : [];
  if (weights.length === 0) {
    const pickle = files.some(({ path }) => PICKLE.test(path));
    throw refused(
      pickle
        ? `${repo} has its weights as pickles only, which can run code when opened and are not read. Look for a converted copy among its pull requests (${repo}@refs/pr/N), or convert it where you trust it: ${convert(repo)}`
        : `${repo} has no ${WEIGHTS} and no ${INDEX}`,
    );
  }
  const tokenizer = find('tokenizer.json');
  if (tokenizer === undefined) {
    throw refused(
      `${repo} has no tokenizer.json, the only form of a tokenizer that is read. Make one: ${convert(repo)}`,
    );
  }
  return [config, tokenizer, ...weights];
}

function convert(repo: string): string {
  const name = repo.slice(repo.lastIndexOf('/') + 1);
  return `python3 -c "from transformers import AutoModel, AutoTokenizer; AutoModel.from_pretrained('${repo}').save_pretrained('${name}'); AutoTokenizer.from_pretrained('${repo}').save_pretrained('${name}')"`;
}

function refused(message: string): CliError {
  return new CliError('bad_backbone', message);
}
