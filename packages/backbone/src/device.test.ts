import { describe, expect, it } from 'vitest';
import { providersOf, resolveDevice } from './device.ts';

describe('resolveDevice', () => {
  const here = import.meta.filename;
  const nowhere = `${here}.missing`;

  it('prefers CUDA where its library is installed', () => {
    expect(resolveDevice('auto', here)).toBe('cuda');
    expect(resolveDevice('auto', nowhere)).toBe('cpu');
    expect(resolveDevice('cpu', here)).toBe('cpu');
    expect(resolveDevice('cuda', here)).toBe('cuda');
  });

  it('says what is missing and how to get it', () => {
    expect(() => resolveDevice('cuda', nowhere)).toThrow(
      /device "cuda" needs .*missing, which is not installed; run .* or use device "cpu"/,
    );
  });

  it('keeps the CPU behind CUDA for operators without a kernel', () => {
    expect(providersOf('cpu')).toEqual(['cpu']);
    expect(providersOf('cuda')).toEqual([{ name: 'cuda', deviceId: 0 }, 'cpu']);
  });
});
