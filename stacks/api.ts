/// <reference path="../.sst/platform/config.d.ts" />
import type { Jobs } from './queues.ts';
import type { StageSettings } from './settings.ts';
import type { State } from './storage.ts';

/** The API, whatever it runs on. */
export interface Api {
  readonly url: $util.Output<string>;
  /** Where its metrics are. */
  readonly watched:
    | { readonly host: 'lambda'; readonly functionName: $util.Output<string> }
    | {
        readonly host: 'service';
        /** As CloudWatch names it: app/<name>/<id>. */
        readonly loadBalancer: $util.Output<string>;
        readonly cluster: $util.Output<string>;
        readonly service: $util.Output<string>;
      };
}

/** The settings of functions/api/src/config.ts that AWS decides. */
export function apiEnvironment({
  settings,
  state,
  jobs,
}: {
  readonly settings: StageSettings;
  readonly state: State;
  readonly jobs: Jobs;
}) {
  return {
    POLYPROMPT_BUCKET: state.bucket.name,
    POLYPROMPT_QUEUE: jobs.main.url,
    POLYPROMPT_BACKBONE: settings.backbone,
    ...(settings.precision ? { POLYPROMPT_PRECISION: settings.precision } : {}),
    // Batch trains.
    POLYPROMPT_TUNER: 'off',
  };
}

/** The first key, of the tenant "default": `sst secret set AdminKey`. */
export function adminKey() {
  return new sst.Secret('AdminKey');
}
