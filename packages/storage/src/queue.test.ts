import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { manualClock } from '@polyprompt/clock';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ROUGH, settled, testStorage } from './test-storage.ts';

const Job = z.strictObject({ tenant: z.string(), job: z.string() });

async function testQueue(options: { settings?: object; seed?: number } = {}) {
  const clock = manualClock();
  const storage = await testStorage({ clock, ...options });
  const { url, deadLetterUrl } = await storage.ensureQueue('jobs', options.settings);
  const queue = storage.queue(url, Job);
  return {
    storage,
    clock,
    queue,
    dead: storage.queue(deadLetterUrl, Job),
    send: (job: string) => queue.send({ tenant: 't', job }),
    receive: async (max = 10) =>
      (await queue.receive({ max, waitSeconds: 0 })).map((message) => message),
  };
}

const jobs = (messages: readonly { body: { job: string } }[]) =>
  messages.map(({ body }) => body.job);

describe('a message', () => {
  it('is delivered, hidden, and gone when removed', async () => {
    const { clock, queue, send, receive } = await testQueue();
    await send('a');
    const [message] = await receive();
    expect(message).toMatchObject({ body: { tenant: 't', job: 'a' }, receives: 1 });
    expect(await receive()).toEqual([]);
    expect(await queue.counts()).toEqual({ waiting: 0, inFlight: 1, delayed: 0 });
    await message?.remove();
    clock.advance(1000_000);
    expect(await receive()).toEqual([]);
  });

  it('given back is there at once', async () => {
    const { send, receive } = await testQueue();
    await send('a');
    await (await receive())[0]?.giveBack();
    expect(await receive()).toMatchObject([{ body: { job: 'a' }, receives: 2 }]);
  });

  it('is kept while its job runs, and comes back when it stops', async () => {
    const { clock, send, receive } = await testQueue({ settings: { visibilitySeconds: 60 } });
    await send('long');
    const [message] = await receive();
    const stop = message!.keep(60);
    for (let minute = 0; minute < 5; minute++) {
      for (let beat = 0; beat < 3; beat++) {
        clock.advance(20_000);
        await settled(clock, 1);
      }
      expect(await receive()).toEqual([]);
    }
    stop();
    expect(clock.pending).toBe(0);
    clock.advance(60_000);
    const [again] = await receive();
    expect(again?.receives).toBe(2);
    await expect(message?.extend(60)).rejects.toMatchObject({ code: 'message_lost' });
    await message?.giveBack();
    expect(await receive()).toEqual([]);
    await expect(again?.extend(50_000)).rejects.toMatchObject({ code: 'bad_option' });
  });

  it('that lost its receipt stops its heartbeat', async () => {
    const { clock, send, receive } = await testQueue();
    await send('a');
    const [message] = await receive();
    message?.keep(60);
    await message?.giveBack();
    clock.advance(20_000);
    await settled(clock, 0);
  });

  it('becomes a dead letter when it is received too often, or has another form', async () => {
    const { storage, queue, dead, send, receive } = await testQueue({
      settings: { maxReceives: 2, visibilitySeconds: 0 },
    });
    await send('poison');
    await storage.context.sqs.send(
      new SendMessageCommand({ QueueUrl: queue.url, MessageBody: '{"job": 1}' }),
    );
    const seen = [await receive(), await receive(), await receive()];
    expect(seen.map(jobs)).toEqual([['poison'], ['poison'], []]);
    expect(await dead.counts()).toMatchObject({ waiting: 2 });
    expect(jobs(await dead.receive({ max: 10, waitSeconds: 0 }))).toEqual(['poison']);
  });

  it('must have the form of the queue to be sent', async () => {
    const { queue } = await testQueue();
    await expect(queue.send({ tenant: 't', job: 'a', text: 'user text' } as never)).rejects.toThrow(
      'text',
    );
  });
});

describe('receive', () => {
  it('ends at once when aborted, and takes nothing', async () => {
    const { clock, queue, send, receive } = await testQueue();
    const controller = new AbortController();
    const poll = queue.receive({ signal: controller.signal });
    await settled(clock, 1);
    controller.abort();
    expect(await poll).toEqual([]);
    await settled(clock, 0);
    await send('a');
    expect(jobs(await receive())).toEqual(['a']);
  });

  it('survives 5 % of all calls failing in each way: every job is done, none is left', async () => {
    const { storage, clock, queue, dead } = await testQueue({
      seed: 41,
      settings: { maxReceives: 100 },
    });
    storage.faults.set(ROUGH);
    const wanted = Array.from({ length: 40 }, (_, i) => `job ${i}`);
    await Promise.all(wanted.map((job) => queue.send({ tenant: 't', job })));
    const done = new Set<string>();
    const work = async () => {
      for (const message of await queue.receive({ max: 10, waitSeconds: 0 })) {
        done.add(message.body.job);
        await message.remove();
      }
    };
    for (let round = 0; round < 100; round++) {
      await Promise.all([work(), work(), work()]);
      const { waiting, inFlight } = await queue.counts();
      if (waiting + inFlight === 0) break;
      // What was received by an answer that got lost comes back when its visibility ends.
      clock.advance(120_000);
    }
    expect([...done].sort()).toEqual(wanted.toSorted());
    expect(await queue.counts()).toEqual({ waiting: 0, inFlight: 0, delayed: 0 });
    expect(await dead.counts()).toMatchObject({ waiting: 0 });
  });
});
