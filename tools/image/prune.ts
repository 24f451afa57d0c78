/**
 * node tools/image/prune.ts [FOLDER]: takes what runs on other systems out of a node_modules for Linux, 200 MB of
 * libraries.
 */
import { globSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** @returns what was removed, as paths below `modules` */
export function prune(modules: string, arch: string): string[] {
  const libraries = globSync('onnxruntime-node/bin/napi-v*/*/*', { cwd: modules });
  const tokenizers = globSync('tokenizers/*.node', { cwd: modules });
  const foreign = [
    ...libraries.filter((path) => !path.endsWith(`linux/${arch}`)),
    ...tokenizers.filter((path) => !path.endsWith(`tokenizers.linux-${arch}-gnu.node`)),
  ];
  const kept = libraries.length + tokenizers.length - foreign.length;
  if (kept !== 2) {
    throw new Error(`${modules} has ${kept} of the 2 native packages for linux/${arch}`);
  }
  for (const path of foreign) rmSync(join(modules, path), { recursive: true });
  return foreign;
}

if (import.meta.main) prune(process.argv[2] ?? 'node_modules', process.arch);
