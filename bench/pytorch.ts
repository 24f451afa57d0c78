/** PyTorch in a process of its own, which computes on demand, so that its rounds alternate with ours. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface PyTorchShape {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly intermediate: number;
  readonly batch: number;
  readonly length: number;
  readonly prefix: number;
  readonly classes: number;
  readonly threads: number;
}

export interface PyTorch {
  readonly version: string;
  run(what: 'forward' | 'step'): Promise<void>;
  close(): void;
}

/** Needs Debian's python3-torch and libopenblas0-pthread, or PYTHON; says why when there is none. */
export async function openPyTorch(shape: PyTorchShape): Promise<PyTorch | { reason: string }> {
  const python = process.env.PYTHON ?? '/usr/bin/python3';
  const { layers, hidden, heads, intermediate, batch, length, prefix, classes, threads } = shape;
  const numbers = [layers, hidden, heads, intermediate, batch, length, prefix, classes, threads];
  const script = join(import.meta.dirname, 'train_pytorch.py');
  const child = spawn(python, [script, ...numbers.map(String)]);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  child.stdin.on('error', () => {}); // It died; the answer that does not come says so.
  try {
    await once(child, 'spawn');
  } catch {
    return { reason: `no ${python}` };
  }
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async () => {
    const { done, value } = await lines.next();
    if (done) throw new Error(errors.trim().split('\n').at(-1) || `${python} ended early`);
    return value;
  };
  try {
    return {
      version: await read(),
      run: async (what) => {
        child.stdin.write(`${what}\n`);
        await read();
      },
      close: () => child.stdin.end(),
    };
  } catch (error) {
    return { reason: (error as Error).message };
  }
}
