import { PassThrough } from 'node:stream';
import type { TuningEvent } from '@polyprompt/tuning';
import { expect, it } from 'vitest';
import { showProgress } from './progress.ts';

const step = (n: number): TuningEvent => ({
  type: 'step',
  step: n,
  totalSteps: 20,
  epoch: 0,
  loss: 1 / n,
  learningRate: 0.01,
  gradientNorm: 1,
  tokensPerSecond: 12_345,
  etaSeconds: 75,
});

const events: TuningEvent[] = [
  { type: 'checked', files: [] },
  { type: 'started', step: 0, totalSteps: 20 },
  ...Array.from({ length: 10 }, (_, i) => step(i + 1)),
  { type: 'evaluated', step: 10, loss: 0.5, metric: 0.875, metricName: 'accuracy', best: true },
  { type: 'checkpoint', step: 10 },
];

function shown({ isTTY, quiet = false }: { isTTY: boolean; quiet?: boolean }): string {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 120, rows: 40 });
  const progress = showProgress(stream as unknown as NodeJS.WriteStream, { quiet });
  events.forEach(progress.onEvent);
  progress.stop();
  progress.stop();
  return String(stream.read() ?? '');
}

it('writes a line per evaluation where there is no terminal', () => {
  expect(shown({ isTTY: false })).toBe(
    '20 steps\n' +
      'step 10/20  loss 0.1000  dev accuracy 0.8750 (best)  12,345 tokens/s  1 m 15 s left\n',
  );
});

it('draws a bar on a terminal and leaves it on a line of its own', () => {
  const drawn = shown({ isTTY: true });
  expect(drawn).toContain('10/20  loss 0.1000  dev 0.8750  12,345 tokens/s  1 m 15 s left');
  expect(drawn).toMatch(/\n[^\n]*$/);
});

it('is silent when asked to be', () => {
  expect(shown({ isTTY: true, quiet: true })).toBe('');
});
