/** The parts of a bundle: code, native modules of one architecture, a backbone. */
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { build } from 'esbuild';
import { NATIVE_PACKAGES, nativeFiles } from './native.ts';
import { threadModules } from './thread-modules.ts';

export const ARCHITECTURES = ['x64', 'arm64'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

export interface BundleOptions {
  /** Folder that is made anew. */
  readonly out: string;
  readonly arch: Architecture;
  /** Model folder to put in; without one it comes from the bucket. */
  readonly backbone: string | undefined;
}

export interface Part {
  readonly name: string;
  readonly bytes: number;
}

const ROOT = join(import.meta.dirname, '../..');
const ENTRY = join(ROOT, 'functions/api/src/lambda.ts');
const MODEL_FILES = /^(config\.json|tokenizer\.json|model.*\.safetensors(\.index\.json)?)$/;

/**
 * Writes the bundle of the API: `lambda.mjs`, a module per thread that it starts, `node_modules` with the native
 * packages alone, `models/<id>`.
 */
export async function bundleApi({ out, arch, backbone }: BundleOptions): Promise<readonly Part[]> {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  await bundleCode(ENTRY, out);
  for (const { from, to } of nativeFiles(ROOT, arch)) copy(from, join(out, 'node_modules', to));
  if (backbone !== undefined) {
    if (!existsSync(join(backbone, 'config.json'))) {
      throw new Error(`${backbone} is not a model folder: it has no config.json`);
    }
    for (const file of globSync('*', { cwd: backbone }).filter((name) => MODEL_FILES.test(name))) {
      copy(join(backbone, file), join(out, 'models', basename(backbone), file));
    }
  }
  const { version } = JSON.parse(readFileSync(join(ROOT, 'functions/api/package.json'), 'utf8'));
  const manifest = { name: 'polyprompt-api', version, private: true, type: 'module' };
  writeFileSync(join(out, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return partsOf(out);
}

async function bundleCode(entry: string, out: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outdir: out,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: true,
    legalComments: 'none',
    external: [...NATIVE_PACKAGES],
    // Libraries that are CommonJS still ask for `require`.
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
    plugins: [threadModules((module) => bundleCode(module, out))],
    logLevel: 'warning',
  });
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { dereference: true });
}

/** Sizes by the first folders of a path. */
function partsOf(folder: string): Part[] {
  const sizes = new Map<string, number>();
  for (const file of globSync('**/*', { cwd: folder })) {
    const stats = statSync(join(folder, file));
    if (!stats.isFile()) continue;
    const name = file.split('/').slice(0, 2).join('/');
    sizes.set(name, (sizes.get(name) ?? 0) + stats.size);
  }
  return [...sizes].map(([name, bytes]) => ({ name, bytes })).toSorted((a, b) => b.bytes - a.bytes);
}
