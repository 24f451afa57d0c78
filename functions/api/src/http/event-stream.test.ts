import { describe, expect, it } from 'vitest';
import { eventStream } from './event-stream.ts';

async function* events(...ids: string[]) {
  for (const id of ids) yield { id, data: { text: `line\n${id}` } };
}

describe('an event stream', () => {
  it('writes one message per event, each on one line, and ends with the events', async () => {
    const response = eventStream(events('a', 'b'), () => undefined);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.text()).toBe(
      ':\n\nid: a\ndata: {"text":"line\\na"}\n\nid: b\ndata: {"text":"line\\nb"}\n\n',
    );
  });

  it('tells when its reader has left', async () => {
    const left = Promise.withResolvers<void>();
    const { body } = eventStream(events('a', 'b'), () => left.resolve());
    const reader = body!.getReader();
    await reader.read();
    await reader.cancel();
    await left.promise;
  });

  it('breaks off when the events do, so that the reader comes back', async () => {
    async function* failing() {
      yield { id: 'a', data: 1 };
      throw new Error('the store is down');
    }
    await expect(eventStream(failing(), () => undefined).text()).rejects.toThrow('store is down');
  });
});
