/** Following a job over connections that break, at a service in miniature. */
import type { FineTuningJob, JobEvent } from '@polyprompt/contract';
import { expect, it } from 'vitest';
import type { Progress } from '../progress.ts';
import { Service } from './client.ts';
import { drawEvents, jobEvents } from './follow.ts';

const ID = 'ftjob-1';
const event = (number: number, more: Partial<JobEvent> = {}): JobEvent => ({
  id: `ftevent-1-${number}`,
  object: 'fine_tuning.job.event',
  created_at: 0,
  level: 'info',
  message: `event ${number}`,
  type: 'message',
  ...more,
});

it('goes on behind the last event, until the job has ended', async () => {
  const behind: (string | null)[] = [];
  const status: FineTuningJob['status'][] = ['running', 'succeeded'];
  const service = new Service(
    { url: 'http://service', key: 'secret' },
    {
      fetch: async (input, init) => {
        if (!String(input).endsWith('/events')) {
          return Response.json({ id: ID, status: status.shift() });
        }
        behind.push(new Headers(init?.headers).get('last-event-id'));
        const data = (number: number) => `:\n\nid: x\ndata: ${JSON.stringify(event(number))}\n\n`;
        if (behind.length === 1) return stream([data(1)], new TypeError('terminated'));
        return stream(behind.length === 2 ? [data(2)] : [data(3)]);
      },
    },
  );
  const seen: string[] = [];
  for await (const { message } of jobEvents(service, ID, new AbortController().signal)) {
    seen.push(message);
  }
  expect(seen).toEqual(['event 1', 'event 2', 'event 3']);
  expect(behind).toEqual([null, 'ftevent-1-1', 'ftevent-1-2']);
});

function stream(pieces: string[], error?: Error): Response {
  const rest = [...pieces];
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = rest.shift();
      if (piece !== undefined) controller.enqueue(new TextEncoder().encode(piece));
      else if (error) controller.error(error);
      else controller.close();
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

it('draws numbers where there is a bar, and says the rest in words', () => {
  const metrics = (number: number, data: JobEvent['data']) =>
    event(number, { type: 'metrics', data: data! });
  const events = [
    event(1),
    metrics(2, { step: 1, total_steps: 9, train_loss: 0.5, eta_seconds: 3 }),
    metrics(3, { step: 4, valid_loss: 0.4, f1_macro: 0.9, full_valid_loss: 0.4, best: true }),
    metrics(4, { candidate: 'seed=2', step: 4, valid_loss: 0.5, f1_macro: 0.8, best: false }),
  ];
  const drawn = (hasBar: boolean) => {
    const calls: unknown[] = [];
    const progress: Progress = {
      onEvent: (one) => calls.push(one),
      note: (text) => calls.push(text),
      stop: () => {},
    };
    events.forEach(drawEvents(progress, hasBar));
    return calls;
  };
  expect(drawn(false)).toEqual(['event 1', 'event 3', 'event 4']);
  expect(drawn(true)).toEqual([
    'event 1',
    { type: 'started', step: 0, totalSteps: 9 },
    expect.objectContaining({ type: 'step', step: 1, totalSteps: 9, loss: 0.5, etaSeconds: 3 }),
    { type: 'evaluated', step: 4, loss: 0.4, metric: 0.9, metricName: 'f1_macro', best: true },
    expect.objectContaining({ candidate: 'seed=2', metric: 0.8, metricName: 'f1_macro' }),
  ]);
});
