/** Which execution provider a session runs on. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { CompileOptions } from '@polyprompt/autodiff';
import { BackboneError } from './errors.ts';

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
