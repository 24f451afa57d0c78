/** Versions of what a result depends on, for its card. */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';

export function libraryVersions(): Record<string, string> {
  const versionOf = (name: string) => {
    const { version } = JSON.parse(
      readFileSync(findPackageJSON(name, import.meta.url)!, 'utf8'),
    ) as {
      readonly version: string;
    };
    return version;
  };
  return {
    polyprompt: versionOf('@polyprompt/tuning'),
    node: process.versions.node,
    'onnxruntime-node': versionOf('onnxruntime-node'),
    tokenizers: versionOf('tokenizers'),
  };
}
