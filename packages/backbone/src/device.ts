/** Which execution provider a session runs on. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type CompileOptions, compile, Graph, matmul } from '@polyprompt/autodiff';
import { BackboneError } from './errors.ts';
import type { Precision } from './graphs/weights.ts';

export type Device = 'cpu' | 'cuda';
export type DeviceChoice = Device | 'auto';
export const DEVICE_CHOICES: readonly DeviceChoice[] = ['auto', 'cpu', 'cuda'];

/** The provider library of onnxruntime-node, which its npm package does not contain. */
function cudaLibrary(): string {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node');
  const root = join(dirname(entry), '..');
  return join(root, 'bin/napi-v6/linux', process.arch, 'libonnxruntime_providers_cuda.so');
}

/**
 * `auto` is CUDA where its libraries are installed, else the CPU.
 * @throws BackboneError `device_unavailable` when CUDA is asked for and cannot be
 */
export function resolveDevice(choice: DeviceChoice, library: string = cudaLibrary()): Device {
  if (choice === 'cpu') return 'cpu';
  const installed = existsSync(library);
  if (choice === 'auto') return installed ? 'cuda' : 'cpu';
  if (!installed) {
    throw new BackboneError(
      'device_unavailable',
      `device "cuda" needs ${library}, which is not installed; run ` +
        '"ONNXRUNTIME_NODE_INSTALL=true node node_modules/onnxruntime-node/script/install.js" ' +
        'on a Linux x64 machine with CUDA, or use device "cpu"',
    );
  }
  return 'cuda';
}

/** The execution providers of a device, for `compile`. */
export function providersOf(device: Device): NonNullable<CompileOptions['providers']> {
  return device === 'cuda' ? [{ name: 'cuda', deviceId: 0 }, 'cpu'] : ['cpu'];
}

/**
 * The device of a choice, as far as the precision runs on it.
 * @throws BackboneError `bad_option`, and those of `resolveDevice`
 */
export function resolveFor(
  choice: DeviceChoice,
  precision: Precision | undefined,
  library?: string,
): Device {
  const device = resolveDevice(choice, library);
  if (precision === 'int8' && device === 'cuda') {
    throw new BackboneError(
      'bad_option',
      `precision "int8" is for CPUs, and device "${choice}" is a GPU here; use device "cpu", or leave the precision ` +
        'to the device: GPUs multiply in float16',
    );
  }
  return device;
}

/** What the large matrices are multiplied in unless somebody says otherwise. */
export function precisionOf(device: Device): Precision {
  return device === 'cuda' ? 'float16' : 'float32';
}

/**
 * Makes a session on the device, or on the CPU with a warning where `auto` chose CUDA and it cannot be used after
 * all: its library is there, but no GPU, no driver, or another CUDA than it was built for.
 * @throws BackboneError `device_unavailable` where CUDA was asked for by name
 */
export async function onDevice<T>(
  choice: DeviceChoice,
  device: Device,
  make: (device: Device) => Promise<T>,
): Promise<{ readonly made: T; readonly device: Device }> {
  try {
    return { made: await make(device), device };
  } catch (cause) {
    if (device === 'cpu') throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `CUDA is installed for ONNX Runtime but cannot be used (${why}); "nvidia-smi" shows whether there are a GPU and a driver`;
    if (choice === 'cuda') {
      throw new BackboneError('device_unavailable', `${message}; or use device "cpu"`, { cause });
    }
    const made = await make('cpu');
    process.emitWarning(`${message}; computing on the CPU`, { code: 'POLYPROMPT_CPU' });
    return { made, device: 'cpu' };
  }
}

/**
 * The device of a choice, tried with a small session.
 * @throws BackboneError `device_unavailable`
 */
export async function usableDevice(choice: DeviceChoice): Promise<Device> {
  const chosen = resolveDevice(choice);
  if (chosen === 'cpu') return chosen;
  const x = new Graph().input('x', 'float32', ['N', 2]);
  const { made, device } = await onDevice(choice, chosen, (on) =>
    compile({ y: matmul(x, x, { transB: true }) }, { providers: providersOf(on) }),
  );
  await made.release();
  return device;
}
