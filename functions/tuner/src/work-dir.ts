/** Private folders for the files of one job each; those of processes that died are swept away. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

export interface WorkDir {
  readonly path: string;
  remove(): Promise<void>;
}

/** Those of this process. */
const own = new Set<string>();

/** Makes a folder under `root` that only this user can read. */
export async function makeWorkDir(root: string): Promise<WorkDir> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  const path = await mkdtemp(join(root, `${process.pid}-`));
  own.add(path);
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true });
      own.delete(path);
    },
  };
}

/** Removes what processes that are no more left under `root`. */
export async function sweepWorkDirs(root: string): Promise<void> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  for (const name of await readdir(root)) {
    const pid = /^(\d+)-/.exec(name)?.[1];
    const path = join(root, name);
    if (pid === undefined || own.has(path)) continue;
    // With our id but not ours: of an earlier process. In a container every process has the id of the one before.
    if (Number(pid) === process.pid || !isAlive(Number(pid))) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
