/** What a user has: the clients of others, and fetch for what those lack. */
import { InferenceClient } from '@huggingface/inference';
import OpenAI from 'openai';

export interface Answer {
  readonly status: number;
  /** Of the header `x-prompt-version`: `ft:<backbone>:<tenant>:<name>:<version>`. */
  readonly version: string | null;
  /** By label. */
  readonly scores: Readonly<Record<string, number>>;
}

/** What OpenAI's client lacks and passes through. */
export interface JobRequest {
  readonly model: string;
  readonly training_file: string;
  readonly validation_file?: string;
  readonly suffix: string;
  readonly seed?: number;
  readonly hyperparameters?: object;
  readonly prompt: object;
}

export interface ServiceClient {
  readonly openai: OpenAI;
  upload(name: string, bytes: string | Uint8Array<ArrayBuffer>): Promise<string>;
  tune(request: JobRequest): Promise<OpenAI.FineTuning.FineTuningJob>;
  /** Follows the job's events as a stream until the job has ended. */
  follow(jobId: string): Promise<OpenAI.FineTuning.FineTuningJobEvent[]>;
  /** Through Hugging Face's client. */
  classify(ref: string, text: string): ReturnType<InferenceClient['textClassification']>;
  ask(ref: string, text: string): Promise<Answer>;
  /** @throws unless the answer is a success */
  send<T>(method: string, path: string, body?: object): Promise<T>;
  moveAlias(name: string, alias: string, version: number): Promise<void>;
}

export function serviceClient(url: string, key: string): ServiceClient {
  const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
  const authorization = `Bearer ${key}`;
  const request = (method: string, path: string, body?: object, headers = {}) =>
    fetch(url + path, {
      method,
      headers: { authorization, ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
  const send = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const response = await request(method, path, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  };
  return {
    openai,
    send,
    async upload(name, bytes) {
      const file = new File([bytes], name);
      return (await openai.files.create({ file, purpose: 'fine-tune' })).id;
    },
    tune: (job) => openai.fineTuning.jobs.create(job as OpenAI.FineTuning.JobCreateParams),
    async follow(jobId) {
      const path = `/v1/fine_tuning/jobs/${jobId}/events`;
      const response = await request('GET', path, undefined, { accept: 'text/event-stream' });
      const lines = (await response.text()).split('\n').filter((line) => line.startsWith('data: '));
      return lines.map((line) => JSON.parse(line.slice('data: '.length)));
    },
    classify(ref, inputs) {
      const endpointUrl = `${url}/models/${encodeURIComponent(ref)}`;
      return new InferenceClient(key, { endpointUrl }).textClassification({ inputs });
    },
    async ask(ref, inputs) {
      const response = await request('POST', `/models/${ref}`, { inputs });
      const version = response.headers.get('x-prompt-version');
      return { status: response.status, version, scores: scoresOf(await response.text()) };
    },
    async moveAlias(name, alias, version) {
      await send('PUT', `/v1/prompts/${name}/aliases/${alias}`, { version });
    },
  };
}

/** The scores in the answer for one text; none in an answer of another form, as errors are. */
export function scoresOf(body: string): Record<string, number> {
  const answer: unknown = JSON.parse(body);
  const row = Array.isArray(answer) ? (answer[0] as { label: string; score: number }[]) : [];
  return Object.fromEntries(row.map(({ label, score }) => [label, score]));
}
