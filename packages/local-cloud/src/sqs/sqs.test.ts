import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  ListQueuesCommand,
  type QueueAttributeName,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  SendMessageBatchCommand,
  SendMessageCommand,
  type SendMessageCommandInput,
  SetQueueAttributesCommand,
} from '@aws-sdk/client-sqs';
import { type ManualClock, manualClock } from '@polyprompt/clock';
import { describe, expect, it } from 'vitest';
import { testCloud } from '../test-clients.ts';

type Attributes = Partial<Record<QueueAttributeName, string>>;

/** A queue on a server whose time moves only by `clock.advance`. */
async function testQueue(attributes: Attributes = {}) {
  const clock = manualClock();
  const cloud = await testCloud({ clock, maxSkewMs: Number.POSITIVE_INFINITY });
  const queue = (QueueUrl: string | undefined) => ({
    QueueUrl,
    send: (MessageBody: string, more: Partial<SendMessageCommandInput> = {}) =>
      cloud.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody, ...more })),
    receive: async (more: Partial<ReceiveMessageCommandInput> = {}, signal?: AbortSignal) => {
      const command = new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        MessageSystemAttributeNames: ['All'],
        ...more,
      });
      return (await cloud.sqs.send(command, { abortSignal: signal })).Messages ?? [];
    },
    delete: (ReceiptHandle: string | undefined) =>
      cloud.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle })),
    change: (ReceiptHandle: string | undefined, VisibilityTimeout: number) =>
      cloud.sqs.send(
        new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout }),
      ),
    attributes: async () =>
      (await cloud.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] })))
        .Attributes ?? {},
  });
  const create = async (QueueName: string, Attributes: Attributes = {}) =>
    queue((await cloud.sqs.send(new CreateQueueCommand({ QueueName, Attributes }))).QueueUrl);
  return { cloud, clock, create, ...(await create('main', attributes)) };
}

/** Resolves once `count` long polls sleep on the server. */
const polling = (clock: ManualClock, count = 1) => expect.poll(() => clock.pending).toBe(count);
const bodies = (messages: readonly { Body?: string | undefined }[]) =>
  messages.map(({ Body }) => Body);

describe('visibility', () => {
  it('hides a received message until its timeout and counts receives', async () => {
    const { clock, send, receive } = await testQueue({ VisibilityTimeout: '30' });
    await send('m');
    expect(bodies(await receive())).toEqual(['m']);
    clock.advance(29_999);
    expect(await receive()).toEqual([]);
    clock.advance(1);
    expect(await receive()).toMatchObject([
      { Body: 'm', Attributes: { ApproximateReceiveCount: '2' } },
    ]);
  });

  it('is extended and ended by the newest receipt only', async () => {
    const {
      clock,
      send,
      receive,
      change,
      delete: remove,
    } = await testQueue({ VisibilityTimeout: '30' });
    await send('m');
    const [first] = await receive();
    await change(first?.ReceiptHandle, 100);
    clock.advance(99_000);
    expect(await receive()).toEqual([]);
    clock.advance(1000);
    const [second] = await receive();
    await expect(change(first?.ReceiptHandle, 0)).rejects.toMatchObject({
      name: 'MessageNotInflight',
    });
    await remove(first?.ReceiptHandle);
    clock.advance(30_000);
    expect(bodies(await receive())).toEqual(['m']);
    await remove(second?.ReceiptHandle);
    clock.advance(30_000);
    const [third] = await receive();
    await remove(third?.ReceiptHandle);
    await remove(third?.ReceiptHandle);
    clock.advance(30_000);
    expect(await receive()).toEqual([]);
  });

  it('starts after the delay, and ends with the retention period', async () => {
    const { clock, send, receive, attributes } = await testQueue({
      DelaySeconds: '10',
      MessageRetentionPeriod: '60',
    });
    await send('late');
    await send('now', { DelaySeconds: 0 });
    expect(bodies(await receive({ VisibilityTimeout: 0 }))).toEqual(['now']);
    clock.advance(10_000);
    expect(bodies(await receive({ VisibilityTimeout: 0 })).sort()).toEqual(['late', 'now']);
    clock.advance(50_001);
    expect(await receive()).toEqual([]);
    expect(await attributes()).toMatchObject({ ApproximateNumberOfMessages: '0' });
  });
});

describe('long poll', () => {
  it('wakes on a message and delivers it to one of the waiters', async () => {
    const { clock, send, receive } = await testQueue();
    const polls = [receive({ WaitTimeSeconds: 20 }), receive({ WaitTimeSeconds: 20 })];
    await polling(clock, 2);
    await send('m');
    expect(bodies(await Promise.race(polls))).toEqual(['m']);
    await polling(clock, 1);
    clock.advance(20_000);
    expect((await Promise.all(polls)).map((messages) => messages.length).sort()).toEqual([0, 1]);
  });

  it('wakes when a hidden or delayed message becomes visible, and when its visibility is ended', async () => {
    const { clock, send, receive, change } = await testQueue({ VisibilityTimeout: '600' });
    await send('m', { DelaySeconds: 5 });
    const delayed = receive({ WaitTimeSeconds: 20 });
    await polling(clock);
    clock.advance(5000);
    const [message] = await delayed;
    const returned = receive({ WaitTimeSeconds: 20 });
    await polling(clock);
    await change(message?.ReceiptHandle, 0);
    expect(bodies(await returned)).toEqual(['m']);
  });

  it('takes nothing for a client that has gone', async () => {
    const { clock, send, receive } = await testQueue();
    const client = new AbortController();
    const poll = receive({ WaitTimeSeconds: 20 }, client.signal);
    await polling(clock);
    client.abort();
    await expect(poll).rejects.toMatchObject({ name: 'AbortError' });
    await polling(clock, 0);
    await send('m');
    expect(bodies(await receive())).toEqual(['m']);
  });

  it('fails when its queue is deleted', async () => {
    const { cloud, clock, receive, QueueUrl } = await testQueue();
    const poll = receive({ WaitTimeSeconds: 20 });
    await polling(clock);
    await Promise.all([
      expect(poll).rejects.toMatchObject({ name: 'QueueDoesNotExist' }),
      cloud.sqs.send(new DeleteQueueCommand({ QueueUrl })),
    ]);
  });
});

describe('dead letters', () => {
  it('go to their queue after maxReceiveCount, and keep id and origin', async () => {
    const { cloud, clock, create, send, receive, QueueUrl } = await testQueue({
      VisibilityTimeout: '0',
    });
    const dead = await create('dead');
    const RedrivePolicy = JSON.stringify({
      deadLetterTargetArn: (await dead.attributes()).QueueArn,
      maxReceiveCount: 2,
    });
    await cloud.sqs.send(
      new SetQueueAttributesCommand({ QueueUrl, Attributes: { RedrivePolicy } }),
    );
    const { MessageId } = await send('poison');
    const waiting = dead.receive({ WaitTimeSeconds: 20 });
    await polling(clock);
    expect([await receive(), await receive()].flat()).toHaveLength(2);
    expect(await receive()).toEqual([]);
    expect(await waiting).toMatchObject([
      {
        Body: 'poison',
        MessageId,
        Attributes: {
          ApproximateReceiveCount: '1',
          DeadLetterQueueSourceArn: expect.stringContaining(':main'),
        },
      },
    ]);
  });

  it('need a queue that exists', async () => {
    const { create } = await testQueue();
    const RedrivePolicy = JSON.stringify({
      deadLetterTargetArn: 'arn:aws:sqs:us-east-1:000000000000:none',
      maxReceiveCount: 2,
    });
    await expect(create('other', { RedrivePolicy })).rejects.toMatchObject({
      name: 'InvalidParameterValue',
    });
  });
});

describe('batches', () => {
  it('fail entry by entry', async () => {
    const { cloud, QueueUrl, receive } = await testQueue();
    const sent = await cloud.sqs.send(
      new SendMessageBatchCommand({
        QueueUrl,
        Entries: [
          { Id: 'good', MessageBody: 'm' },
          { Id: 'control', MessageBody: '\u0001' },
          { Id: 'late', MessageBody: 'm', DelaySeconds: 901 },
        ],
      }),
    );
    expect(sent.Successful).toMatchObject([{ Id: 'good' }]);
    expect(sent.Failed).toMatchObject([
      { Id: 'control', Code: 'InvalidMessageContents' },
      { Id: 'late', Code: 'InvalidParameterValue' },
    ]);
    const [message] = await receive();
    const Entries = [
      { Id: 'a', ReceiptHandle: message?.ReceiptHandle },
      { Id: 'a', ReceiptHandle: message?.ReceiptHandle },
    ];
    await expect(
      cloud.sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries })),
    ).rejects.toMatchObject({ name: 'BatchEntryIdsNotDistinct' });
  });
});

describe('message attributes', () => {
  const given = {
    'trace.id': { DataType: 'String', StringValue: 't' },
    n: { DataType: 'Number', StringValue: '7' },
    b: { DataType: 'Binary', BinaryValue: Buffer.from('ÿ') },
  };

  it('come back selected by name, with the MD5 that AWS computes', async () => {
    const { send, receive } = await testQueue({ VisibilityTimeout: '0' });
    // The digest that other implementations of the protocol test for.
    const timestamp = { DataType: 'Number', StringValue: '1493147359900' };
    const known = await send('m', { MessageAttributes: { timestamp } });
    expect(known.MD5OfMessageAttributes).toBe('235c5c510d26fb653d073faed50ae77c');
    await send('m', { MessageAttributes: given });
    const select = async (...MessageAttributeNames: string[]) =>
      (await receive({ MessageAttributeNames }))
        .flatMap(({ MessageAttributes = {} }) => Object.keys(MessageAttributes))
        .sort();
    expect(await select('trace.*', 'n')).toEqual(['n', 'trace.id']);
    expect(await select('All')).toEqual(['b', 'n', 'timestamp', 'trace.id']);
    expect(await select()).toEqual([]);
  });

  it('must be well-formed', async () => {
    const { send } = await testQueue();
    for (const bad of [
      { DataType: 'Float', StringValue: '1' },
      { DataType: 'String', StringValue: '' },
      { DataType: 'Binary', StringValue: 'x' },
    ]) {
      await expect(send('m', { MessageAttributes: { bad } })).rejects.toMatchObject({
        name: 'InvalidParameterValue',
      });
    }
  });
});

describe('refusals', () => {
  it('name what is not served or out of range', async () => {
    const {
      cloud,
      create,
      send,
      receive,
      delete: remove,
    } = await testQueue({ MaximumMessageSize: '1024' });
    await expect(create('q.fifo', { FifoQueue: 'true' })).rejects.toMatchObject({
      name: 'UnsupportedOperation',
    });
    await expect(create('q', { VisibilityTimeout: '43201' })).rejects.toMatchObject({
      name: 'InvalidAttributeValue',
    });
    await expect(create('q', { KmsMasterKeyId: 'k' })).rejects.toMatchObject({
      name: 'InvalidAttributeName',
    });
    await expect(send('m', { MessageGroupId: 'g' })).rejects.toThrow(
      /MessageGroupId is not served/,
    );
    await expect(send('x'.repeat(1025))).rejects.toThrow(/1025 bytes, the limit is 1024/);
    await expect(receive({ MaxNumberOfMessages: 11 })).rejects.toThrow(/between 1 and 10/);
    await expect(remove('garbage')).rejects.toMatchObject({ name: 'ReceiptHandleIsInvalid' });
    const other = await create('other');
    await other.send('m');
    const [foreign] = await other.receive();
    await expect(remove(foreign?.ReceiptHandle)).rejects.toMatchObject({
      name: 'ReceiptHandleIsInvalid',
    });
    const page = await cloud.sqs.send(new ListQueuesCommand({ MaxResults: 1 }));
    const rest = await cloud.sqs.send(
      new ListQueuesCommand({ MaxResults: 9, NextToken: page.NextToken }),
    );
    expect([...page.QueueUrls!, ...rest.QueueUrls!].map((url) => url.split('/').at(-1))).toEqual([
      'main',
      'other',
    ]);
  });
});
