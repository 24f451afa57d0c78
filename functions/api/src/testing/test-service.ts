/**
 * The whole application over real parts: a tiny backbone, an object store and a queue in memory, the
 * registry, an inference worker. Everything ends with the tests of the file.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { maxPromptLength, openBackbone } from '@polyprompt/backbone';
import { writeTinyBackbone } from '@polyprompt/backbone/testing';
import type { Scope } from '@polyprompt/contract';
import { type LocalCloud, startLocalCloud } from '@polyprompt/local-cloud';
import { peftBackbone } from '@polyprompt/prompts';
import { packedTinyPrompt, type TinyPromptOptions } from '@polyprompt/prompts/testing';
import {
  createRegistry,
  JobMessage,
  type Registry,
  type RegistryOptions,
} from '@polyprompt/registry';
import { createEngine, type Engine, type EngineOptions } from '@polyprompt/serving';
import { createStorage, type Queue, type Storage } from '@polyprompt/storage';
import { traitsOf } from '@polyprompt/tuner/settings';
import type { Hono } from 'hono';
import { type Logger, pino } from 'pino';
import { afterAll } from 'vitest';
import type { z } from 'zod';
import { createApp } from '../app.ts';
import type { AppDeps } from '../deps.ts';
import { promptLoader } from '../prompt-key.ts';
import { createConformance } from './conformance.ts';

export const BACKBONE_ID = 'tiny';
/** Positions of the tiny backbone; a text that is longer is refused. */
export const MAX_POSITIONS = 64;

export interface TestServiceOptions {
  readonly engine?: Partial<EngineOptions>;
  readonly deps?: Partial<AppDeps>;
  readonly registry?: Partial<RegistryOptions>;
}

export interface TestService {
  readonly app: Hono;
  readonly registry: Registry;
  readonly engine: Engine;
  readonly storage: Storage;
  readonly queue: Queue<JobMessage>;
  readonly cloud: LocalCloud;
  readonly backbone: AppDeps['backbone'];
  readonly backboneDir: string;
  /** Lines that were logged. */
  readonly log: string[];
  /** Makes a key. */
  key(tenant: string, ...scopes: Scope[]): Promise<string>;
  /** Publishes a version of arbitrary numbers. @returns its number */
  publish(
    tenant: string,
    name: string,
    options: TinyPromptOptions & { readonly activate?: string },
  ): Promise<number>;
  /** A request with a key, its answer held against the contract; an object becomes a JSON body. */
  call(
    secret: string,
    method: string,
    path: string,
    body?: object | string,
    headers?: Record<string, string>,
  ): Promise<Response>;
  /** The same, for the body of an answer that must have this status and form. */
  ask<T>(
    wanted: { readonly status?: number; readonly schema: z.ZodType<T> },
    ...request: Parameters<TestService['call']>
  ): Promise<T>;
}

export async function testService(options: TestServiceOptions = {}): Promise<TestService> {
  const folder = mkdtempSync(join(tmpdir(), 'polyprompt-api-'));
  const backboneDir = join(folder, BACKBONE_ID);
  const words = ['rain', 'snow', 'bread', 'soup', 'the', 'is', 'a'];
  const spec = writeTinyBackbone(backboneDir, {
    family: 'roberta',
    maxPositions: MAX_POSITIONS,
    words,
    std: 0.2,
  });
  const opened = openBackbone(backboneDir, { cacheDir: folder });
  const fingerprint = await opened.fingerprint();
  const cloud = await startLocalCloud({ dir: ':memory:' });
  const { endpoint, credentials } = cloud;
  const storage = createStorage({ bucket: 'test', endpoint, credentials });
  await storage.ensureBucket();
  const { url } = await storage.ensureQueue('jobs');
  const queue = storage.queue(url, JobMessage);
  const registry = createRegistry({ storage, queue, ...options.registry });
  const engine = createEngine({
    backboneDir,
    load: promptLoader(registry),
    device: 'cpu',
    threads: 1,
    ...options.engine,
  });
  const { logger, log } = memoryLog();
  const backbone = {
    id: BACKBONE_ID,
    fingerprint,
    created: 1_700_000_000,
    traits: traitsOf(opened),
    peft: () => peftBackbone(opened, maxPromptLength(spec)),
  };
  const deps = { registry, engine, backbone, logger, version: '0.0.0', ...options.deps };
  const app = createApp(deps);
  afterAll(async () => {
    await engine.close();
    await registry.close();
    storage.close();
    await cloud.close();
    rmSync(folder, { recursive: true });
  });
  const conformance = createConformance();
  const call: TestService['call'] = async (secret, method, path, body, more = {}) => {
    const headers = { authorization: `Bearer ${secret}`, ...more };
    const text = typeof body === 'object' ? JSON.stringify(body) : body;
    const init = { method, headers, ...(text !== undefined && { body: text }) };
    const response = await app.request(path, init);
    await conformance.check(method, path, response);
    return response;
  };
  return {
    app,
    registry,
    engine,
    storage,
    queue,
    cloud,
    backbone,
    backboneDir,
    log,
    async key(tenant, ...scopes) {
      const name = scopes.join('+');
      return (await registry.keys.create(tenant, { name, scopes })).secret;
    },
    async publish(tenant, name, { activate, ...prompt }) {
      const packed = packedTinyPrompt(spec, fingerprint, prompt);
      const made = await registry.prompts.publish(tenant, name, packed, {
        actor: 'test',
        activate,
      });
      return made.version;
    },
    call,
    async ask({ status = 200, schema }, ...request) {
      const response = await call(...request);
      const body = await response.json();
      if (response.status === status) return schema.parse(body);
      throw new Error(`status ${response.status} instead of ${status}: ${JSON.stringify(body)}`);
    },
  };
}

function memoryLog(): { logger: Logger; log: string[] } {
  const log: string[] = [];
  return { logger: pino({ level: 'debug' }, { write: (line: string) => log.push(line) }), log };
}
