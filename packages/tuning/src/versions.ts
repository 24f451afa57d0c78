/** Versions of what a result depends on, for its card. */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export function libraryVersions(): Record<string, string> {
  const versionOf = (name: string) =>
    (require(`${name}/package.json`) as { readonly version: string }).version;
  return {
    polyprompt: versionOf('@polyprompt/tuning'),
    node: process.versions.node,
    'onnxruntime-node': versionOf('onnxruntime-node'),
    tokenizers: versionOf('tokenizers'),
  };
}
