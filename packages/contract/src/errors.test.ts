import { InferenceClient } from '@huggingface/inference';
import OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { ApiError, type ErrorFamily, renderError } from './errors.ts';

/** A server that answers everything with one error, for clients that let their fetch be replaced. */
function failing(error: ApiError, family: ErrorFamily) {
  const calls: string[] = [];
  const fetch = async (input: string | URL | Request) => {
    calls.push(String(input));
    const { status, headers, body } = renderError(error, family);
    return new Response(JSON.stringify(body), {
      status,
      headers: { ...headers, 'content-type': 'application/json', 'x-request-id': 'req-1' },
    });
  };
  return { fetch, calls };
}

async function caught(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('no error');
    },
    (error: unknown) => error,
  );
}

const notFound = ApiError.notFound('file.not_found', 'no file "file-1"', 'file_id');

describe('the OpenAI client', () => {
  it('reads message, code, param, type and request id', async () => {
    const { fetch } = failing(notFound, 'openai');
    const client = new OpenAI({ apiKey: 'k', baseURL: 'http://localhost/v1', fetch });
    const error = await caught(client.files.retrieve('file-1'));
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(error).toMatchObject({
      status: 404,
      code: 'file.not_found',
      param: 'file_id',
      type: 'invalid_request_error',
      requestID: 'req-1',
      message: '404 no file "file-1"',
    });
  });

  it('does not repeat a lost compare-and-set', async () => {
    const { fetch, calls } = failing(ApiError.conflict('job.state', 'x'), 'openai');
    const client = new OpenAI({ apiKey: 'k', baseURL: 'http://localhost/v1', fetch });
    expect(await caught(client.fineTuning.jobs.pause('ftjob-1'))).toBeInstanceOf(
      OpenAI.ConflictError,
    );
    expect(calls).toHaveLength(1);
  });

  it('waits as long as a 429 says before it repeats', async () => {
    const { fetch, calls } = failing(ApiError.tooMany('overloaded', 'busy', 1), 'openai');
    const client = new OpenAI({ apiKey: 'k', baseURL: 'http://localhost/v1', fetch });
    expect(await caught(client.models.list())).toBeInstanceOf(OpenAI.RateLimitError);
    expect(calls).toHaveLength(3);
  });

  it.each([
    [ApiError.badRequest('invalid_json', 'x'), OpenAI.BadRequestError],
    [ApiError.unauthorized('auth.invalid_key', 'x'), OpenAI.AuthenticationError],
    [ApiError.forbidden('auth.scope', 'x'), OpenAI.PermissionDeniedError],
    [ApiError.tooLarge(2, 1, 'x'), OpenAI.APIError],
    [ApiError.unprocessable('file.invalid', 'x'), OpenAI.UnprocessableEntityError],
    [ApiError.internal(new Error('secret')), OpenAI.InternalServerError],
    [ApiError.deadline(5), OpenAI.InternalServerError],
  ])('maps %s to its class', async (error, expected) => {
    const { fetch } = failing(error, 'openai');
    const client = new OpenAI({
      apiKey: 'k',
      baseURL: 'http://localhost/v1',
      fetch,
      maxRetries: 0,
    });
    const seen = await caught(client.models.list());
    expect(seen).toBeInstanceOf(expected);
    expect(seen).toMatchObject({ status: error.status, code: error.code });
  });
});

describe('the Hugging Face client', () => {
  it('reads the message and the request id', async () => {
    const error = ApiError.notFound('prompt.not_found', 'no prompt "topics"', 'model');
    const { fetch, calls } = failing(error, 'huggingface');
    const endpointUrl = 'http://localhost/models/topics';
    const client = new InferenceClient('k', { endpointUrl, fetch });
    const seen = await caught(client.textClassification({ inputs: 'x' }));
    expect(String(seen)).toContain('no prompt "topics"');
    expect(seen).toMatchObject({ httpResponse: { status: 404, requestId: 'req-1' } });
    expect(calls).toEqual([endpointUrl]);
  });
});

describe('renderError', () => {
  it('makes a string for one family and an object for the other', () => {
    expect(renderError(notFound, 'huggingface').body).toEqual({ error: 'no file "file-1"' });
    expect(renderError(notFound, 'openai').body).toEqual({
      error: {
        message: 'no file "file-1"',
        type: 'invalid_request_error',
        param: 'file_id',
        code: 'file.not_found',
      },
    });
  });

  it('says when to try again and how to authenticate', () => {
    const busy = renderError(ApiError.tooMany('overloaded', 'x', 1500), 'openai');
    expect(busy.headers).toEqual({ 'retry-after-ms': '1500', 'retry-after': '2' });
    const full = renderError(ApiError.tooMany('quota', 'x', 60_000), 'openai');
    expect(full.headers).toMatchObject({ 'retry-after': '60', 'x-should-retry': 'false' });
    const denied = renderError(ApiError.unauthorized('auth.missing_key', 'x'), 'huggingface');
    expect(denied.headers).toEqual({ 'www-authenticate': 'Bearer' });
  });

  it('keeps the cause of an internal error from the client', () => {
    const rendered = renderError(ApiError.internal(new Error('password')), 'openai');
    expect(JSON.stringify(rendered)).not.toContain('password');
  });
});
