/// <reference path="./.sst/platform/config.d.ts" />

// SST allows imports inside of the functions only.
export default $config({
  async app(input) {
    const { settingsOf } = await import('./stacks/settings.ts');
    const { region, keepData } = settingsOf(input.stage);
    return {
      name: 'polyprompt',
      home: 'aws',
      removal: keepData ? 'retain' : 'remove',
      protect: keepData,
      providers: {
        // The version that this SST brings: a lower one is refused, a higher one untested with it.
        aws: { version: '7.20.0', region, defaultTags: { tags: { service: 'polyprompt' } } },
        'docker-build': '0.0.14',
      },
    };
  },
  async run() {
    const { settingsOf } = await import('./stacks/settings.ts');
    const { storage } = await import('./stacks/storage.ts');
    const { queues } = await import('./stacks/queues.ts');
    const { network } = await import('./stacks/network.ts');
    const { apiFunction } = await import('./stacks/api-function.ts');
    const { apiService } = await import('./stacks/api-service.ts');
    const { tuner } = await import('./stacks/tuner.ts');
    const { failedJobs } = await import('./stacks/failed-jobs.ts');
    const { sweep } = await import('./stacks/sweep.ts');
    const { alarms } = await import('./stacks/alarms.ts');

    const settings = settingsOf($app.stage);
    const state = storage(settings);
    const jobs = queues();
    const net = network(settings);
    const api =
      settings.api.host === 'lambda'
        ? apiFunction({ settings, api: settings.api, state, jobs })
        : apiService({ settings, api: settings.api, state, jobs, net });
    const gpu = tuner({ settings, state, jobs, net });
    const failed = failedJobs({ settings, state, jobs, gpu });
    const sweeping = sweep({ settings, state, jobs });
    alarms({ settings, jobs, api, gpu, failed, sweeping });

    return { url: api.url, bucket: state.bucket.name, queue: jobs.main.url };
  },
});
