/** What a job is about to do, checked in full before anything is computed: settings, data, backbone. */
import {
  type Backbone,
  type Device,
  type DeviceChoice,
  openBackbone,
  usableDevice,
} from '@polyprompt/backbone';
import type { Candidate } from './candidates.ts';
import type { Identity } from './checkpoint.ts';
import { type PreparedData, prepareData } from './data.ts';
import { TuningError } from './errors.ts';
import { resolveJobSettings, traitsOf } from './job-settings.ts';
import type { TuningEvent } from './loop.ts';
import { type Parent, type ParentSource, readParent } from './parent.ts';
import type { TuningInput, TuningSettings } from './settings.ts';
import { verbalizerHead } from './verbalizer.ts';

export interface TuningJob {
  readonly backbone: string;
  readonly train: string;
  /** Without one, a tenth of the training data is held out. */
  readonly dev?: string;
  /** Folder of the prompt; the checkpoint lies in it until the run is complete. */
  readonly out: string;
  readonly settings: TuningInput;
  /** Tried side by side, each on top of `settings`; the best on the dev set is published. */
  readonly candidates?: readonly Candidate[];
  /** The version to continue from: same backbone and task; labels may differ. */
  readonly from?: ParentSource;
  readonly device?: DeviceChoice;
  readonly threads?: number;
  readonly checkpointSeconds?: number;
  /** Continue from the checkpoint in `out` where there is one. */
  readonly resume?: boolean;
  /** With `resume`: train no more, and publish the best version that the checkpoint holds. */
  readonly finish?: boolean;
}

export interface JobHooks {
  readonly onEvent?: (event: TuningEvent) => void;
  readonly shouldStop?: () => boolean;
}

export interface Plan {
  readonly job: TuningJob;
  readonly hooks: JobHooks;
  readonly started: Date;
  readonly backbone: Backbone;
  readonly device: Device;
  /** Of every candidate; of the one run without any. */
  readonly settings: readonly TuningSettings[];
  readonly data: PreparedData;
  readonly parent: Parent | undefined;
  /** A head that is given and stays. */
  readonly head: Float32Array | undefined;
  readonly identity: Identity;
}

/**
 * The settings of a job, one set per candidate, and the version that it continues from.
 * @throws PromptError, TuningError `bad_setting`
 */
export async function settingsOfJob(
  { settings, candidates, from }: Pick<TuningJob, 'settings' | 'candidates' | 'from'>,
  backbone: Backbone,
): Promise<{ readonly settings: readonly TuningSettings[]; readonly parent: Parent | undefined }> {
  const parent = from && (await readParent(from, backbone));
  const asked = { settings, parent, ...(candidates && { candidates }) };
  return { settings: resolveJobSettings(asked, traitsOf(backbone)), parent };
}

/** @throws BackboneError, PromptError, TuningError `bad_setting`, `bad_data`, `interrupted` */
export async function planJob(job: TuningJob, hooks: JobHooks): Promise<Plan> {
  const started = new Date();
  const backbone = openBackbone(job.backbone);
  const device = await usableDevice(job.device ?? 'auto');
  const { settings, parent } = await settingsOfJob(job, backbone);
  const [first] = settings as [TuningSettings, ...TuningSettings[]];
  // Candidates share one dev set, also where it is held out by the seed.
  const [alone] = resolveJobSettings({ settings: job.settings, parent }, traitsOf(backbone));
  const shared = { ...first, seed: alone!.seed };
  const causal = backbone.spec.family === 'xglm';
  const data = await prepareData(backbone.tokenizer(), shared, job, causal, (files) =>
    hooks.onEvent?.({ type: 'checked', files }),
  );
  const head = first.verbalizer
    ? await verbalizerHead(backbone, first.verbalizer, data.labels)
    : undefined;
  // Reading can take as long as a step of a large backbone: asked in between, too.
  if (hooks.shouldStop?.()) {
    throw new TuningError('interrupted', 'stopped before the training began');
  }
  const identity = await identityOf(backbone, settings, data, parent);
  return { job, hooks, started, backbone, device, settings, data, parent, head, identity };
}

async function identityOf(
  backbone: Backbone,
  settings: readonly TuningSettings[],
  data: PreparedData,
  parent: Parent | undefined,
): Promise<Identity> {
  const files = data.files.map(({ role, hash }) => [role, hash] as const);
  return {
    backbone: await backbone.fingerprint(),
    settings: JSON.stringify(settings.length === 1 ? settings[0] : settings),
    ...(parent ? { parent: parent.card.hash } : {}),
    ...Object.fromEntries(files),
  };
}
