/** The files of the packages with native code that run on one architecture; the rest of them is five times as much. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import type { Architecture } from './bundle.ts';

/** Packages that cannot be bundled, because they load their library from their own folder. */
export const NATIVE_PACKAGES = ['onnxruntime-node', 'tokenizers'] as const;

const FILES = (arch: Architecture) => [
  'onnxruntime-node/package.json',
  'onnxruntime-node/dist/**/*.js',
  `onnxruntime-node/bin/napi-v6/linux/${arch}/onnxruntime_binding.node`,
  `onnxruntime-node/bin/napi-v6/linux/${arch}/libonnxruntime.so.1`,
  'onnxruntime-common/package.json',
  'onnxruntime-common/dist/cjs/**/*.{js,json}',
  'tokenizers/package.json',
  'tokenizers/index.js',
  `tokenizers/tokenizers.linux-${arch}-gnu.node`,
];

export interface NativeFile {
  readonly from: string;
  /** Path below `node_modules`. */
  readonly to: string;
}

/** @throws Error naming a file that the installed packages do not have (any longer) */
export function nativeFiles(root: string, arch: Architecture): NativeFile[] {
  const modules = join(root, 'node_modules');
  return FILES(arch).flatMap((pattern) => {
    const found = globSync(pattern, { cwd: modules });
    if (found.length === 0) throw new Error(`${modules} has no ${pattern}; run npm ci`);
    return found.map((to) => ({ from: join(modules, to), to }));
  });
}
