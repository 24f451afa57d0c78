/// <reference path="../.sst/platform/config.d.ts" />
import type { StageSettings } from './settings.ts';

/**
 * The bucket of all state. Private, only over TLS, encrypted, versioned: a key that was overwritten or
 * deleted by mistake can be brought back for `undoDays`.
 *
 * Versions have a price where objects are replaced all the time, so the states of running jobs lie under
 * a prefix of their own, which keeps old versions for a day.
 */
export function storage({ keepData, undoDays }: StageSettings) {
  const days = (count: number) => ({ noncurrentVersionExpiration: { noncurrentDays: count } });
  const bucket = new sst.aws.Bucket('State', {
    // SST's default lets every site read the answers of the store; nothing here is for browsers.
    cors: false,
    versioning: true,
    // Rules that SST's own type cannot express follow below.
    lifecycle: [{ id: 'checkpoints', prefix: CHECKPOINTS, expiresIn: '60 days' }],
    transform: {
      bucket: (args) => {
        args.forceDestroy = !keepData;
      },
      lifecycle: (args) => {
        args.rules = [
          {
            // A job that stays paused longer than this starts over when it is resumed.
            id: 'checkpoints',
            status: 'Enabled',
            filter: { prefix: CHECKPOINTS },
            expiration: { days: 60 },
            ...days(1),
          },
          { id: 'undo', status: 'Enabled', filter: { prefix: '' }, ...days(undoDays) },
          {
            // Listings walk over the markers of deleted objects.
            id: 'markers',
            status: 'Enabled',
            filter: { prefix: '' },
            expiration: { expiredObjectDeleteMarker: true },
          },
          {
            // Parts of uploads that were given up are billed and seen nowhere.
            id: 'uploads',
            status: 'Enabled',
            filter: { prefix: '' },
            abortIncompleteMultipartUpload: { daysAfterInitiation: 2 },
          },
        ];
      },
    },
  });
  new aws.s3.BucketServerSideEncryptionConfiguration('StateEncryption', {
    bucket: bucket.name,
    rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: 'AES256' } }],
  });
  return { bucket };
}

/** Where the registry keeps the states of running jobs (packages/registry/src/layout.ts). */
export const CHECKPOINTS = 'checkpoints/';

export type State = ReturnType<typeof storage>;
