/** Follows a training run and writes what it does into the job: events, evaluations, reports, training state. */
import type { Job, JobHandle, Registry } from '@polyprompt/registry';
import type { FileCheck, TuningEvent } from '@polyprompt/tuning';
import { CheckpointUploads } from './checkpoint-uploads.ts';
import type { CheckedFile } from './failures.ts';
import type { InputFile, Inputs } from './inputs.ts';
import { Outbox, type Write } from './outbox.ts';
import {
  checkMessage,
  type EventOf,
  evaluationMessage,
  evaluationOf,
  message,
  startedMessage,
  stepMetrics,
} from './progress.ts';
import type { AskedJob } from './settings.ts';

type JsonObject = Job['settings'];

export interface ReporterOptions {
  readonly handle: JobHandle;
  readonly registry: Pick<Registry, 'files'>;
  /** Path of the local checkpoint. */
  readonly checkpoint: string;
  /** Told about every failed write. */
  readonly onError: (error: unknown) => void;
}

/** What a run is about. */
export interface ReportedRun extends AskedJob {
  readonly inputs: Inputs;
}

/** Between two updates of the estimated time of the end. */
const ESTIMATE_MS = 10_000;

export class Reporter {
  readonly #options: ReporterOptions;
  readonly #outbox: Outbox;
  readonly #uploads: CheckpointUploads<number>;
  #run: ReportedRun | undefined;
  #badFiles: CheckedFile[] = [];
  #savedStep = -1;
  /** Of every candidate, or of the one run. */
  readonly #lastLoss = new Map<string | undefined, number>();
  #estimated = Number.NEGATIVE_INFINITY;

  constructor(options: ReporterOptions) {
    const { handle, checkpoint, onError } = options;
    this.#options = options;
    this.#outbox = new Outbox({ onError });
    this.#uploads = new CheckpointUploads({
      path: checkpoint,
      onError,
      upload: async (body, step) => {
        // Whoever goes on from this state does not evaluate again what led to it.
        await this.#outbox.flush();
        await handle.saveState(body);
        this.#outbox.add(() => handle.event(message(`Checkpoint after step ${step} saved.`)));
      },
    });
  }

  /** Files whose check found errors. */
  get badFiles(): readonly CheckedFile[] {
    return this.#badFiles;
  }

  /** Step of the latest local checkpoint. */
  get savedStep(): number {
    return this.#savedStep;
  }

  /** What the run that follows is about. */
  begin(run: ReportedRun): void {
    this.#run = run;
    this.#badFiles = [];
    this.#lastLoss.clear();
  }

  follow(event: TuningEvent): void {
    const { handle } = this.#options;
    switch (event.type) {
      case 'checked':
        this.#checked(event.files);
        break;
      case 'started': {
        const { hyperparameters, candidates } = this.#run!;
        this.#add(() => handle.validated());
        this.#add(() => handle.update({ hyperparameters: { ...hyperparameters } }));
        this.#add(() => handle.event(startedMessage(event, candidates)));
        break;
      }
      case 'step':
        this.#lastLoss.set(event.candidate, event.loss);
        this.#estimate(event);
        this.#outbox.addFrequent(() => handle.event(stepMetrics(event)));
        break;
      case 'evaluated': {
        const evaluation = evaluationOf(event, this.#lastLoss.get(event.candidate));
        // A step has one checkpoint: of candidates, that which was the best of all.
        if (event.leads ?? true) this.#add(() => handle.addCheckpoint(evaluation));
        this.#add(() => handle.event(evaluationMessage(event, evaluation)));
        break;
      }
      case 'diverged':
        this.#add(() => handle.event(message(`${event.candidate}: ${event.message}`, 'warn')));
        break;
      case 'checkpoint':
        this.#savedStep = event.step;
        this.#uploads.changed(event.step);
        break;
      default:
        event satisfies never;
    }
  }

  restarted(reason: string): void {
    const text = `Training starts over, because its checkpoint is of no use: ${reason}`;
    this.#add(() => this.#options.handle.event(message(text, 'warn')));
  }

  /** Resolves when everything that can be written is. */
  async settled(): Promise<void> {
    await this.#uploads.settled().catch(() => undefined);
    await this.#outbox.flush();
  }

  /** Writes nothing more. */
  stop(): void {
    this.#uploads.stop();
    this.#outbox.stop();
  }

  #add(write: Write): void {
    this.#outbox.add(write);
  }

  #checked(checks: readonly FileCheck[]): void {
    const { handle, registry } = this.#options;
    const { inputs, settings } = this.#run!;
    const { task, offsetUnit, invalidTags } = settings;
    const reading = {
      ...(offsetUnit === undefined ? {} : { offset_unit: offsetUnit }),
      ...(invalidTags === undefined ? {} : { invalid_tags: invalidTags }),
    };
    for (const check of checks) {
      const file = (check.role === 'train' ? inputs.train : inputs.dev) as InputFile;
      const name = file.record.filename;
      if (!check.valid) this.#badFiles.push({ name, param: file.param, check });
      this.#add(() =>
        registry.files.setReport(handle.job.tenant, file.record.id, task, {
          ...plain(check),
          ...reading,
        }),
      );
      this.#add(() => handle.event(checkMessage(check, name)));
    }
  }

  #estimate({ step, totalSteps, etaSeconds }: EventOf<'step'>): void {
    const now = Date.now();
    if (now - this.#estimated < ESTIMATE_MS) return;
    this.#estimated = now;
    const estimatedFinish = Math.round(now + etaSeconds * 1000);
    this.#add(() =>
      this.#options.handle.update({ estimatedFinish, progress: { step, totalSteps } }),
    );
  }
}

function plain(check: FileCheck): JsonObject {
  return JSON.parse(JSON.stringify(check)) as JsonObject;
}
