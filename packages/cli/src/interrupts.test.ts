import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { catchInterrupts } from './interrupts.ts';

function fakeProcess() {
  const kills: string[] = [];
  const emitter = new EventEmitter();
  const target = Object.assign(emitter, {
    pid: 1,
    kill: (_pid: number, signal: string) => kills.push(signal),
  });
  return { process: target as unknown as NodeJS.Process, kills };
}

it('asks once, takes an echo of the same press for one, and kills at the next', () => {
  const { process, kills } = fakeProcess();
  let time = 0;
  let asked = 0;
  const { signal } = catchInterrupts(() => asked++, { process, now: () => time });
  expect(signal.aborted).toBe(false);
  process.emit('SIGINT', 'SIGINT');
  expect(signal.aborted).toBe(true);
  time = 50;
  process.emit('SIGINT', 'SIGINT');
  expect([asked, kills]).toEqual([1, []]);
  time = 2000;
  process.emit('SIGTERM', 'SIGTERM');
  expect([asked, kills]).toEqual([1, ['SIGTERM']]);
  expect(process.listenerCount('SIGINT') + process.listenerCount('SIGTERM')).toBe(0);
});

it('gives the signals back', () => {
  const { process } = fakeProcess();
  catchInterrupts(() => {}, { process }).release();
  expect(process.listenerCount('SIGINT') + process.listenerCount('SIGTERM')).toBe(0);
});
