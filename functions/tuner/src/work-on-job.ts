/**
 * One job from take to end: fetch, check, train, publish. Everything that another worker needs to go on from here
 * is in the store before this one lets go; everything written goes through the job's fenced handle, so a worker
 * that lost its lease changes nothing. Publishing alone is not fenced: it happens at most once per job, and two
 * workers on one job compute the same bytes.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DeviceChoice, openBackbone } from '@polyprompt/backbone';
import { CARD_FILE, PROMPT_FILE } from '@polyprompt/prompts';
import type { JobHandle, JobOutcome, Registry } from '@polyprompt/registry';
import { StorageError } from '@polyprompt/storage';
import {
  CHECKPOINT_FILE,
  type JobResult,
  readParent,
  type TuningJob,
  traitsOf,
} from '@polyprompt/tuning';
import type { Logger } from 'pino';
import type { BackboneResolver } from './backbones.ts';
import { dataFailure, failureOf, type JobFailure } from './failures.ts';
import { fetchInputs, toFile } from './inputs.ts';
import { fetchParent } from './parent.ts';
import { candidatesMessage, message } from './progress.ts';
import { Reporter } from './reporter.ts';
import { RESULT_FILE, RESULT_PURPOSE, resultCsv } from './result-file.ts';
import { readJobSettings } from './settings.ts';
import { trainJob } from './train.ts';
import { makeWorkDir } from './work-dir.ts';

export interface WorkDeps {
  readonly registry: Registry;
  readonly backbones: BackboneResolver;
  /** Root of the private folders. */
  readonly workDir: string;
  readonly log: Logger;
  /** Aborts when the process is to end: checkpoint and let go. */
  readonly signal: AbortSignal;
  readonly device?: DeviceChoice | undefined;
  readonly threads?: number | undefined;
  /** @default that of the training loop */
  readonly checkpointSeconds?: number | undefined;
  /** Milliseconds before the second attempt after an unexpected error; the third waits twice as long. @default 1000 */
  readonly retryMs?: number | undefined;
}

/** `ended`: for good or until resumed; `given_back`: for another worker; `lost`: another worker has it. */
export type Ending = 'ended' | 'given_back' | 'lost';

/** Unexpected errors in a row, without getting ahead, that fail a job. */
const ATTEMPTS = 3;
const RETRY_MS = 1000;

/**
 * Works on a job that was taken until it ends or must be let go.
 * @throws what the store says when even letting go fails; the lease then expires by itself
 */
export async function workOnJob(handle: JobHandle, deps: WorkDeps): Promise<Ending> {
  const log = deps.log.child({ tenant: handle.job.tenant, job: handle.job.id });
  const dir = await makeWorkDir(deps.workDir).catch(async (error) => {
    // Or its lease would be renewed for as long as this process lives.
    await handle.release();
    throw error;
  });
  const work = new Work(handle, { ...deps, log }, dir.path);
  log.info({ status: handle.job.status, attempt: handle.job.attempts }, 'job taken');
  try {
    const ending = await work.toItsEnd();
    log.info({ status: handle.job.status, ending }, 'job let go');
    return ending;
  } finally {
    await dir.remove();
  }
}

class Work {
  readonly #handle: JobHandle;
  readonly #deps: WorkDeps;
  readonly #dir: string;
  readonly #reporter: Reporter;
  /** Aborted when the lease is lost, however that is noticed. */
  readonly #lost = new AbortController();
  /** Shutdown or loss. */
  readonly #mustEnd: AbortSignal;
  /** That, or what the user wants. */
  readonly #mustStop: AbortSignal;

  constructor(handle: JobHandle, deps: WorkDeps, dir: string) {
    this.#handle = handle;
    this.#deps = deps;
    this.#dir = dir;
    this.#lost.signal.addEventListener('abort', () => this.#reporter.stop());
    this.#mustEnd = AbortSignal.any([deps.signal, this.#lost.signal]);
    this.#mustStop = AbortSignal.any([handle.signal, this.#mustEnd]);
    this.#reporter = new Reporter({
      handle,
      registry: deps.registry,
      checkpoint: join(this.#out, CHECKPOINT_FILE),
      onError: (error) => {
        if (isLeaseLost(error)) this.#lost.abort(error);
        else deps.log.warn({ err: error }, 'could not write the progress of a job');
      },
    });
  }

  async toItsEnd(): Promise<Ending> {
    try {
      return await this.#untilItEnds();
    } catch (error) {
      if (isLeaseLost(error)) return 'lost';
      await this.#handle.release();
      throw error;
    } finally {
      this.#reporter.stop();
    }
  }

  async #untilItEnds(): Promise<Ending> {
    let failures = 0;
    let step = -1;
    for (;;) {
      try {
        return await this.#attempt();
      } catch (error) {
        if (this.#isLost || isLeaseLost(error)) return 'lost';
        if (this.#mustEnd.aborted) return this.#letGo();
        // The next attempt is at what the user wants now.
        if (this.#mustStop.aborted && isStop(error)) continue;
        const failure = failureOf(error);
        if (failure) return this.#fail(failure);
        // Getting ahead between two errors makes them separate ones.
        failures = this.#reporter.savedStep > step ? 1 : failures + 1;
        step = this.#reporter.savedStep;
        this.#deps.log.error({ err: error, failures }, 'job attempt failed');
        if (failures >= ATTEMPTS) return this.#giveUp(error);
        const { retryMs = RETRY_MS } = this.#deps;
        await sleep(retryMs * failures, undefined, { signal: this.#mustEnd }).catch(() => {});
      }
    }
  }

  async #attempt(): Promise<Ending> {
    const { wanted } = this.#handle;
    switch (wanted) {
      case 'cancel':
        return this.#cancel();
      case 'pause':
        return this.#finish({ status: 'paused' });
      case 'run': {
        // Stopped for something that is not wanted any more: whoever takes the job next starts afresh.
        if (this.#mustStop.aborted) return this.#letGo();
        const result = await this.#train({ finish: false });
        if (!result) return this.#fail(dataFailure(this.#reporter.badFiles));
        return this.#publish(result, this.#handle.wanted === 'cancel' ? 'cancelled' : 'succeeded');
      }
      default:
        return wanted satisfies never;
    }
  }

  /**
   * Brings the job's files here and trains.
   * @param finish train no more, make the best version so far
   * @returns undefined when the data has errors
   */
  async #train({ finish }: { finish: boolean }): Promise<JobResult | undefined> {
    const { registry, backbones, device, threads, checkpointSeconds } = this.#deps;
    const { job } = this.#handle;
    const signal = finish ? this.#mustEnd : this.#mustStop;
    const folder = await backbones(job.backbone);
    const backbone = openBackbone(folder);
    const { from: ref } = job.settings;
    const from =
      typeof ref === 'string'
        ? await fetchParent(registry, job, ref, join(this.#dir, 'from'))
        : undefined;
    const parent = from && (await readParent(from, backbone));
    const { settings, candidates, hyperparameters } = readJobSettings(
      job,
      traitsOf(backbone),
      parent,
    );
    const inputs = await fetchInputs(registry, job, this.#dir, signal);
    await this.#fetchCheckpoint(signal);
    const tuning: TuningJob = {
      backbone: folder,
      train: inputs.train.path,
      ...(inputs.dev ? { dev: inputs.dev.path } : {}),
      out: this.#out,
      settings,
      ...(candidates.length > 0 ? { candidates } : {}),
      ...(from ? { from } : {}),
      ...(device ? { device } : {}),
      ...(threads ? { threads } : {}),
      ...(checkpointSeconds === undefined ? {} : { checkpointSeconds }),
      resume: true,
      finish,
    };
    if (!finish) this.#reporter.begin({ inputs, settings, candidates, hyperparameters });
    try {
      return await trainJob(tuning, {
        signal,
        onEvent: (event) => (finish ? undefined : this.#reporter.follow(event)),
        onRestart: (reason) => this.#reporter.restarted(reason),
      });
    } catch (error) {
      if (this.#reporter.badFiles.length > 0) return undefined;
      throw error;
    }
  }

  async #fetchCheckpoint(signal: AbortSignal): Promise<void> {
    const path = join(this.#out, CHECKPOINT_FILE);
    // One that an earlier attempt left here is never older than the stored one.
    if (existsSync(path)) return;
    const body = await this.#handle.loadState();
    if (body) await toFile(body, path, signal);
  }

  async #publish(result: JobResult, status: 'succeeded' | 'cancelled'): Promise<Ending> {
    const { registry } = this.#deps;
    const { job } = this.#handle;
    await this.#reporter.settled();
    const packed = {
      prompt: await readFile(join(this.#out, PROMPT_FILE)),
      card: await readFile(join(this.#out, CARD_FILE)),
    };
    const activate = status === 'succeeded' ? job.activate : null;
    const options = { actor: job.id, job: job.id, activate };
    const { version, hash } = await registry.prompts.publish(
      job.tenant,
      job.prompt,
      packed,
      options,
    );
    const resultFiles = await this.#resultFiles();
    const { epochs, batchSize } = result.settings;
    await this.#handle.update({
      trainedTokens: result.tokens,
      estimatedFinish: null,
      progress: { step: result.steps, best: { ...result.best }, resultFiles },
      // Candidates may differ in these; without any they are what they were.
      hyperparameters: { ...job.hyperparameters, n_epochs: epochs, batch_size: batchSize },
    });
    if (result.card.candidates) await this.#handle.event(candidatesMessage(result.card));
    const moved = activate ? `, and ${job.prompt}@${activate} moved to it` : '';
    await this.#handle.event(message(`Version ${version} of ${job.prompt} published${moved}.`));
    const ending = await this.#finish({ status, result: { version, hash } });
    registry.usage.record(job.tenant, job.prompt, { trainingTokens: result.tokens });
    await registry.usage.flush();
    return ending;
  }

  /** Ids of the result file, made once unless its maker died before it could say so. */
  async #resultFiles(): Promise<string[]> {
    const { job } = this.#handle;
    const made = job.progress?.resultFiles;
    if (Array.isArray(made)) return made.map(String);
    const { id } = await this.#deps.registry.files.create(job.tenant, {
      filename: RESULT_FILE,
      purpose: RESULT_PURPOSE,
      body: Readable.from([Buffer.from(resultCsv(job.checkpoints))]),
    });
    return [id];
  }

  /** Publishes the best version so far, if there is one. */
  async #cancel(): Promise<Ending> {
    const begun = this.#handle.job.saved !== null || existsSync(join(this.#out, CHECKPOINT_FILE));
    try {
      const best = begun ? await this.#train({ finish: true }) : undefined;
      if (best) return await this.#publish(best, 'cancelled');
    } catch (error) {
      // No version yet, or never one from these data: either way there is nothing to keep.
      if (codeOf(error) !== 'no_version' && !failureOf(error)) throw error;
    }
    return this.#finish({ status: 'cancelled' });
  }

  async #fail(error: JobFailure): Promise<Ending> {
    // The message may quote the data, so the log gets the code alone.
    this.#deps.log.info({ code: error.code }, 'job failed');
    await this.#reporter.settled();
    await this.#handle.event(message(error.message, 'error'));
    return this.#finish({ status: 'failed', error });
  }

  /** A store that is down says nothing about the job; all else that keeps failing does. */
  #giveUp(error: unknown): Promise<Ending> {
    if (error instanceof StorageError && error.code === 'unavailable') return this.#letGo();
    return this.#fail({
      code: 'worker_error',
      message:
        `the job failed ${ATTEMPTS} times without getting ahead; the last time: ` +
        `${error instanceof Error ? error.message : String(error)}`,
      param: null,
    });
  }

  async #finish(outcome: JobOutcome): Promise<Ending> {
    await this.#reporter.settled();
    await this.#handle.finish(outcome);
    return 'ended';
  }

  async #letGo(): Promise<Ending> {
    await this.#reporter.settled();
    await this.#handle.release();
    return 'given_back';
  }

  get #isLost(): boolean {
    return this.#lost.signal.aborted || isLeaseLost(this.#handle.signal.reason);
  }

  get #out(): string {
    return join(this.#dir, 'out');
  }
}

function codeOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | undefined)?.code;
}

function isStop(error: unknown): boolean {
  return codeOf(error) === 'interrupted' || (error as Error | undefined)?.name === 'AbortError';
}

function isLeaseLost(error: unknown): boolean {
  return codeOf(error) === 'lease_lost';
}
