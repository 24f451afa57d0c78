/** The backbones of a bucket, as a command line names them. */
import { isName, NAME_RULE } from '@polyprompt/contract';
import { CliError } from '../errors.ts';

export interface StorePlace {
  readonly bucket: string;
  /** Id that the backbone is to have there; undefined: that of its folder. */
  readonly id: string | undefined;
}

/**
 * `s3://BUCKET`, `s3://BUCKET/backbones` or `s3://BUCKET/backbones/ID`: the service looks under that folder.
 * @throws CliError `usage`
 */
export function parseStorePlace(text: string): StorePlace {
  const [, bucket, rest = ''] =
    /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(text) ?? [];
  const [, id] = /^backbones\/([^/]+)\/?$/.exec(rest) ?? [];
  if (bucket === undefined || (id === undefined && !/^(backbones\/?)?$/.test(rest))) {
    throw new CliError(
      'usage',
      `${JSON.stringify(text)} is no place for backbones; give s3://BUCKET, or s3://BUCKET/backbones/ID to choose the id`,
    );
  }
  if (id !== undefined && !isName(id)) {
    throw new CliError(
      'usage',
      `${JSON.stringify(id)} cannot be the id of a backbone: it must be ${NAME_RULE}`,
    );
  }
  return { bucket, id };
}

export interface StoreOptions {
  readonly endpoint?: string;
  readonly region?: string;
}

/** Settings as the service has them; credentials come from where the AWS SDK looks. */
export async function withStore<T>(
  bucket: string,
  { endpoint = process.env.POLYPROMPT_ENDPOINT, region = process.env.AWS_REGION }: StoreOptions,
  use: (backbones: import('@polyprompt/registry').Backbones) => Promise<T>,
): Promise<T> {
  const [{ Backbones }, { createStorage }] = await Promise.all([
    import('@polyprompt/registry'),
    import('@polyprompt/storage'),
  ]);
  const storage = createStorage({
    bucket,
    ...(endpoint && { endpoint }),
    ...(region && { region }),
  });
  try {
    return await use(new Backbones({ storage }));
  } finally {
    storage.close();
  }
}
