/**
 * Which files a comparison runs on. A data folder has a folder per task with `en.train.*`,
 * `en.dev.*` and `<language>.test.*`, or a `reproduce.json` that names the files of each task.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { TASK_NAMES } from '@polyprompt/tasks';
import { z } from 'zod';
import { ReproduceError } from './errors.ts';

export const MANIFEST = 'reproduce.json';

const TaskFiles = z.strictObject({
  train: z.string(),
  dev: z.string().optional(),
  /** By language code; "en" is English. */
  test: z.record(z.string(), z.string()).refine((test) => Object.keys(test).length > 0),
  /** What the data is where it is not the paper's: printed among the departures. */
  note: z.string().optional(),
  /** Of a task that the paper does not have: what it is, how it is shown, what is compared. */
  extra: z
    .strictObject({ task: z.enum(TASK_NAMES), title: z.string(), metric: z.string() })
    .optional(),
});

/** Absolute paths. Without a dev file a part of the training data is held out. */
export type TaskFiles = z.infer<typeof TaskFiles>;

const Manifest = z.record(z.string(), TaskFiles);

/**
 * The files of every task that the folder has.
 * @param tasks folder names to look for
 * @throws ReproduceError `no_data` when there is none of them, `bad_manifest`
 */
export function findData(folder: string, tasks: readonly string[]): Map<string, TaskFiles> {
  const manifest = join(folder, MANIFEST);
  const all = existsSync(manifest) ? readManifest(manifest, folder) : scan(folder, tasks);
  const found = new Map([...all].filter(([id, { extra }]) => extra || tasks.includes(id)));
  if (found.size > 0) return found;
  throw new ReproduceError(
    'no_data',
    `${folder} has data for none of the tasks ${tasks.join(', ')}; give a folder per task with ` +
      `en.train.*, en.dev.* and <language>.test.*, or a ${MANIFEST} that names the files`,
  );
}

function readManifest(path: string, folder: string): Map<string, TaskFiles> {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new ReproduceError('bad_manifest', `${path} is not JSON: ${(cause as Error).message}`);
  }
  const parsed = Manifest.safeParse(json);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.join('.')}: ${issue.message}`,
    );
    throw new ReproduceError('bad_manifest', `${path}: ${problems.join('; ')}`);
  }
  const place = (file: string) => requireFile(resolve(folder, file), path);
  return new Map(
    Object.entries(parsed.data).map(([id, files]) => [
      id,
      {
        ...files,
        train: place(files.train),
        ...(files.dev ? { dev: place(files.dev) } : {}),
        test: Object.fromEntries(
          Object.entries(files.test).map(([language, file]) => [language, place(file)]),
        ),
      },
    ]),
  );
}

function requireFile(path: string, manifest: string): string {
  if (existsSync(path)) return path;
  throw new ReproduceError('bad_manifest', `${manifest} names ${path}, which does not exist`);
}

function scan(folder: string, tasks: readonly string[]): Map<string, TaskFiles> {
  const found = new Map<string, TaskFiles>();
  for (const id of tasks) {
    const dir = join(folder, id);
    if (!existsSync(dir)) continue;
    const names = readdirSync(dir).sort();
    const named = (pattern: RegExp) => names.find((name) => pattern.test(name));
    const train = named(/^en\.train\.\w+$/);
    const dev = named(/^en\.dev\.\w+$/);
    const test = Object.fromEntries(
      names.flatMap((name) => {
        const language = /^([\w-]+)\.test\.\w+$/.exec(name)?.[1];
        return language ? [[language, join(dir, name)]] : [];
      }),
    );
    if (!train || Object.keys(test).length === 0) continue;
    found.set(id, {
      train: join(dir, train),
      ...(dev ? { dev: join(dir, dev) } : {}),
      test,
    });
  }
  return found;
}
