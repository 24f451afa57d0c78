import { LIMITS } from '@polyprompt/contract';
import type { PeftBackbone } from '@polyprompt/prompts';
import type { Registry } from '@polyprompt/registry';
import type { Engine } from '@polyprompt/serving';
import type { BackboneTraits } from '@polyprompt/tuner/settings';
import type { Logger } from 'pino';
import type { Registry as Metrics } from 'prom-client';

/** The backbone that this process serves. */
export interface ServedBackbone {
  readonly id: string;
  readonly fingerprint: string;
  /** Unix seconds of its making, as OpenAI's models have it. */
  readonly created: number;
  /** What the settings of a job are judged by. */
  readonly traits: BackboneTraits;
  /** What exchange with PEFT must know of it; reads the checkpoint when asked. */
  readonly peft: () => Promise<PeftBackbone>;
}

export interface ApiLimits {
  /** Largest file uploaded through the API, in bytes. */
  readonly uploadBytes: number;
  /** Largest file checked on request, in bytes. */
  readonly checkBytes: number;
  /** What bodies and files that are read as a whole may take in memory at a time; a tenant may have half of it. */
  readonly heldBytes: number;
}

export const API_LIMITS: ApiLimits = {
  uploadBytes: LIMITS.uploadBytes,
  checkBytes: 64 * 1024 ** 2,
  heldBytes: 512 * 1024 ** 2,
};

/** All that the application needs; it reads no environment and opens nothing. */
export interface AppDeps {
  readonly registry: Registry;
  readonly engine: Pick<Engine, 'infer' | 'stats'>;
  readonly backbone: ServedBackbone;
  readonly logger: Logger;
  /** Reference of the prompt that answers where a request names none. */
  readonly defaultPrompt?: string | undefined;
  /** Of the service, as `/health` and the API document state it. */
  readonly version: string;
  readonly limits?: Partial<ApiLimits>;
  /** Where metrics go; a fresh one unless given. */
  readonly metrics?: Metrics;
  /** Aborts when the process shuts down: streams without end are ended then. */
  readonly closing?: AbortSignal;
  /** Epoch milliseconds. @default Date.now */
  readonly now?: () => number;
}
