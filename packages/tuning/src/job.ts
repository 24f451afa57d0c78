/** Tuning runs from files to published prompt folders: one job, or several around one backbone. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type PromptCard, writePrompt } from '@polyprompt/prompts';
import { tokenBudgetOn } from './batches.ts';
import { bestRun, candidateName } from './candidates.ts';
import type { Evaluated } from './checkpoint.ts';
import { initialParameters } from './initial.ts';
import { type Member, type MemberRun, trainTogether } from './loop.ts';
import { TrainingModel } from './model.ts';
import { type JobHooks, type Plan, planJob, type TuningJob } from './plan.ts';
import { promptOf } from './publish.ts';
import { Reparameterisation } from './reparameterisation.ts';
import { Run } from './run.ts';
import { type Scorer, score } from './score.ts';
import type { TuningSettings } from './settings.ts';
import { Tuned } from './tuned.ts';
import { libraryVersions } from './versions.ts';

export interface JobResult {
  readonly card: PromptCard;
  readonly settings: TuningSettings;
  readonly best: Evaluated;
  readonly steps: number;
  readonly seconds: number;
  readonly tokens: number;
  /** Non-fatal findings about the data. */
  readonly warnings: readonly string[];
  /** An input of the dev set: what the prompt is to be asked. */
  readonly sample: unknown;
}

export interface JobRequest {
  readonly job: TuningJob;
  readonly hooks?: JobHooks;
}

export const CHECKPOINT_FILE = 'checkpoint.safetensors';

const DEFAULT_CHECKPOINT_SECONDS = 30;

/**
 * Validates the data, trains and writes `out/prompt.safetensors` and `out/card.json`.
 * @throws BackboneError, PromptError, TuningError (`bad_data` with the validator's report, `no_version`)
 */
export async function runJob(job: TuningJob, hooks: JobHooks = {}): Promise<JobResult> {
  const [outcome] = await runJobs([{ job, hooks }]);
  if (outcome!.status === 'rejected') throw outcome!.reason;
  return outcome!.value;
}

/**
 * Runs jobs side by side: those that can share a graph (same backbone and method, same kind of loss)
 * take their steps as one batch, others one group after the other. Each keeps its own data, events,
 * checkpoint and wish to stop, and is published as soon as it is complete. What it computes equals
 * what it computes alone but for rounding (sums run in another order).
 * @returns how each ended; rejected as `runJob` throws
 */
export async function runJobs(
  requests: readonly JobRequest[],
): Promise<PromiseSettledResult<JobResult>[]> {
  const outcomes: PromiseSettledResult<JobResult>[] = new Array(requests.length);
  const groups = new Map<string, { readonly plan: Plan; readonly at: number }[]>();
  for (const [at, { job, hooks = {} }] of requests.entries()) {
    try {
      const plan = await planJob(job, hooks);
      const key = await groupOf(plan, at);
      groups.set(key, [...(groups.get(key) ?? []), { plan, at }]);
    } catch (reason) {
      outcomes[at] = { status: 'rejected', reason };
    }
  }
  for (const group of groups.values()) {
    const results = await settled(() => runPlans(group.map(({ plan }) => plan)), group.length);
    group.forEach(({ at }, i) => {
      outcomes[at] = results[i]!;
    });
  }
  return outcomes;
}

/** Plans with the same group share a graph. */
async function groupOf({ backbone, device, job, settings, data }: Plan, at: number) {
  const { method, pooling } = settings[0]!;
  const parts = [await backbone.fingerprint(), device, job.threads, method, data.task.loss];
  // Every weight changes: nothing is shared.
  const alone = method === 'full' ? at : null;
  return JSON.stringify([...parts, pooling === 'pooler', alone]);
}

async function settled(
  work: () => Promise<PromiseSettledResult<JobResult>[]>,
  count: number,
): Promise<PromiseSettledResult<JobResult>[]> {
  try {
    return await work();
  } catch (reason) {
    return Array.from({ length: count }, () => ({ status: 'rejected', reason }));
  }
}

async function runPlans(plans: readonly Plan[]): Promise<PromiseSettledResult<JobResult>[]> {
  const { backbone, device, job, settings, data } = plans[0]!;
  const { method, pooling } = settings[0]!;
  const all = plans.flatMap((plan) => plan.settings);
  const model = await TrainingModel.create({
    backbone,
    method,
    loss: data.task.loss,
    length: Math.max(...all.map(({ length }) => length)),
    classes: Math.max(...plans.map((plan) => plan.data.labels.length)),
    usePooler: pooling === 'pooler',
    oneState: all.every((each) => each.pooling !== 'mean'),
    many: all.length > 1,
    device,
    ...(job.threads ? { threads: job.threads } : {}),
  });
  const members: Member<JobResult>[] = [];
  try {
    for (const plan of plans) members.push(await memberOf(plan, model));
    const tokenBudget = Math.max(...all.map((each) => tokenBudgetOn(device, each)));
    return await trainTogether(members, { model, tokenBudget });
  } finally {
    for (const { runs } of members) for (const { run } of runs) await run.tuned.release();
    await model.release();
  }
}

async function memberOf(plan: Plan, model: TrainingModel): Promise<Member<JobResult>> {
  const { job, hooks, data, identity, settings } = plan;
  const runs: MemberRun[] = [];
  for (const [i, each] of settings.entries()) {
    const run = await runOf(plan, each, model);
    const candidate = job.candidates?.[i];
    runs.push({
      run,
      evaluate: () => score(scorerOf(run, model), data, tokenBudgetOn(plan.device, each)),
      ...(candidate ? { candidate: candidateName(candidate) } : {}),
    });
  }
  mkdirSync(job.out, { recursive: true });
  return {
    runs,
    metricName: data.task.metric,
    finish: job.finish ?? false,
    checkpoint: {
      path: join(job.out, CHECKPOINT_FILE),
      identity,
      everySeconds: job.checkpointSeconds ?? DEFAULT_CHECKPOINT_SECONDS,
      resume: job.resume ?? false,
    },
    ...hooks,
    complete: ({ seconds }) => publish(plan, model, runs, seconds),
  };
}

async function runOf(
  { backbone, data, parent, head }: Plan,
  settings: TuningSettings,
  model: TrainingModel,
): Promise<Run> {
  const { labels } = data;
  const start = { backbone, settings, labels, parent: parent?.prompt, head };
  const tuned = new Tuned({
    settings,
    classes: labels.length,
    values: initialParameters(model.inputs, start),
    fixed: fixedValues(model.loss, head),
    reparameterisation:
      settings.reparameterise > 0
        ? await Reparameterisation.create(backbone.spec, settings)
        : undefined,
  });
  const { loss, hidden } = model;
  return new Run({ settings, tuned, rows: data.train, loss, classes: labels.length, hidden });
}

/**
 * A given head is not trained. Nor is the bias of a span's: it moves all positions alike, so the
 * softmax over them takes it away again, and the optimizer would follow nothing but rounding.
 */
function fixedValues(loss: TrainingModel['loss'], head: unknown): ReadonlySet<string> {
  if (head) return new Set(['head_weight', 'head_bias']);
  return new Set(loss === 'span' ? ['head_bias'] : []);
}

function scorerOf({ tuned }: Run, model: TrainingModel): Scorer {
  return { loss: model.loss, evaluate: (rows) => model.evaluate(tuned.prompt(), rows) };
}

async function publish(
  { job, data, backbone, device, started, parent }: Plan,
  model: TrainingModel,
  runs: readonly MemberRun[],
  seconds: number,
): Promise<JobResult> {
  const run = bestRun(runs.map((each) => each.run));
  const { settings, progress } = run;
  await run.restoreBest();
  const dev = await score(scorerOf(run, model), data, tokenBudgetOn(device, settings));
  const prompt = await promptOf(run, backbone, data, dev.answering, job.out);
  const card = writePrompt(job.out, prompt, {
    created: started.toISOString(),
    data: data.files,
    settings: { ...settings },
    metrics: { dev: dev.metrics },
    lineage: { parent: parent ? { ref: parent.ref, hash: parent.card.hash } : null },
    ...(job.candidates?.length
      ? {
          candidates: runs.map((each, i) => ({
            settings: { ...job.candidates![i]! },
            steps: each.run.progress.step,
            best: each.run.progress.best,
            diverged: each.run.diverged !== null,
            published: each.run === run,
          })),
        }
      : {}),
    versions: libraryVersions(),
    wall_seconds: seconds,
    device,
  });
  rmSync(join(job.out, CHECKPOINT_FILE), { force: true });
  const tokens = runs.reduce((sum, each) => sum + each.run.progress.tokens, 0);
  const steps = progress.step;
  const best = progress.best!;
  const sample = data.devExamples[0]!.input;
  return { card, settings, best, steps, seconds, tokens, warnings: data.warnings, sample };
}
