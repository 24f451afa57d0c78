// The contract's objects against the types and parsers of the clients that will read them.

import { InferenceClient } from '@huggingface/inference';
import type OpenAI from 'openai';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { FileObject } from './schemas/files.ts';
import {
  QuestionAnsweringRequest,
  QuestionAnsweringResponse,
  TextClassificationRequest,
  TextClassificationResponse,
  TokenClassificationRequest,
  TokenClassificationResponse,
  ZeroShotRequest,
  ZeroShotResponse,
} from './schemas/inference.ts';
import type { Checkpoint, FineTuningJob, JobCreate, JobEvent } from './schemas/jobs.ts';
import type { Model } from './schemas/models.ts';
import { validate } from './validate.ts';

describe('OpenAI types', () => {
  it('accept our objects, and ours their requests', () => {
    expectTypeOf<FileObject>().toExtend<OpenAI.Files.FileObject>();
    expectTypeOf<Model>().toExtend<OpenAI.Models.Model>();
    expectTypeOf<JobEvent>().toExtend<OpenAI.FineTuning.Jobs.FineTuningJobEvent>();
    expectTypeOf<Checkpoint>().toExtend<OpenAI.FineTuning.Jobs.FineTuningJobCheckpoint>();
    // The API answers "paused" although the client's type lacks it.
    type Unpaused = Omit<FineTuningJob, 'status'> & {
      status: Exclude<FineTuningJob['status'], 'paused'>;
    };
    expectTypeOf<Unpaused>().toExtend<OpenAI.FineTuning.Jobs.FineTuningJob>();
    expectTypeOf<
      Pick<
        JobCreate,
        'model' | 'training_file' | 'validation_file' | 'suffix' | 'seed' | 'metadata'
      >
    >().toExtend<OpenAI.FineTuning.Jobs.JobCreateParams>();
  });
});

/** A client that sees `answer`, and whose request body is kept. */
function clientFor(answer: unknown) {
  const sent: unknown[] = [];
  const fetch = async (_: string | URL | Request, init?: RequestInit) => {
    sent.push(JSON.parse(String(init?.body)));
    return Response.json(answer);
  };
  const client = new InferenceClient('k', { endpointUrl: 'http://localhost/models/topics', fetch });
  return { client, sent };
}

describe('the Hugging Face client', () => {
  it('sends and reads text classification', async () => {
    const answer = validate(TextClassificationResponse, [[{ label: 'a', score: 0.9 }]]);
    const { client, sent } = clientFor(answer);
    const read = await client.textClassification({ inputs: 'x', parameters: { top_k: 1 } });
    expect(read).toEqual([{ label: 'a', score: 0.9 }]);
    expect(validate(TextClassificationRequest, sent[0])).toEqual({
      inputs: 'x',
      parameters: { top_k: 1 },
    });
  });

  it('sends and reads token classification', async () => {
    const entity = {
      entity_group: 'PER',
      entity: 'B-PER',
      score: 0.9,
      word: 'Ada',
      start: 0,
      end: 3,
      index: 1,
    };
    const { client, sent } = clientFor(validate(TokenClassificationResponse, [entity]));
    const parameters = { aggregation_strategy: 'none' } as const;
    expect(await client.tokenClassification({ inputs: 'Ada', parameters })).toEqual([entity]);
    expect(validate(TokenClassificationRequest, sent[0])).toEqual({ inputs: 'Ada', parameters });
  });

  it('sends and reads question answering, with an empty answer too', async () => {
    const inputs = { question: 'who?', context: 'Ada' };
    for (const answer of [
      { answer: 'Ada', score: 0.9, start: 0, end: 3 },
      { answer: '', score: 0.9, start: 0, end: 0 },
    ]) {
      const { client, sent } = clientFor(validate(QuestionAnsweringResponse, answer));
      expect(await client.questionAnswering({ inputs })).toEqual(answer);
      expect(validate(QuestionAnsweringRequest, sent[0])).toEqual({ inputs });
    }
  });

  it('sends and reads zero-shot classification', async () => {
    const answer = [
      { label: 'b', score: 0.7 },
      { label: 'a', score: 0.3 },
    ];
    const { client, sent } = clientFor(validate(ZeroShotResponse, answer));
    const request = { inputs: 'x', parameters: { candidate_labels: ['a', 'b'] } };
    expect(await client.zeroShotClassification(request)).toEqual(answer);
    expect(validate(ZeroShotRequest, sent[0])).toEqual(request);
  });
});
