/**
 * Modules that run on threads, `new URL('./name.ts', import.meta.url)`, become bundles of their own beside the one
 * that starts them.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Plugin } from 'esbuild';

const THREAD = /new URL\('(\.[^']+)\.ts', import\.meta\.url\)/g;

/** @param bundle makes the bundle of a module, named like it */
export function threadModules(bundle: (module: string) => Promise<void>): Plugin {
  return {
    name: 'thread-modules',
    setup(build) {
      const made = new Map<string, Promise<void>>();
      build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const text = readFileSync(path, 'utf8');
        const modules = [...text.matchAll(THREAD)].map(([, name]) =>
          join(dirname(path), `${name}.ts`),
        );
        for (const module of modules) if (!made.has(module)) made.set(module, bundle(module));
        await Promise.all(modules.map((module) => made.get(module)));
        const contents = text.replace(
          THREAD,
          (_, name) => `new URL('./${basename(name)}.mjs', import.meta.url)`,
        );
        return { contents, loader: 'ts' };
      });
    },
  };
}
