/** The key pair that clients sign with: random, made once per data folder, readable by its owner only. */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { LocalCloudError } from './errors.ts';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export function generateCredentials(): Credentials {
  return {
    accessKeyId: `LOCAL${randomBytes(8).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(30).toString('base64url'),
  };
}

/**
 * Reads `credentials.json` of the data folder; creates it (mode 0600) on the first start.
 * @throws LocalCloudError `bad_credentials_file` when the file is not a key pair.
 */
export function loadCredentials(dir: string): Credentials {
  const path = join(dir, 'credentials.json');
  try {
    return parse(path, readFileSync(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const credentials = generateCredentials();
  const draft = `${path}.new`;
  const file = openSync(draft, 'w', 0o600);
  try {
    writeSync(file, `${JSON.stringify(credentials, null, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
  return credentials;
}

function parse(path: string, text: string): Credentials {
  try {
    const { accessKeyId, secretAccessKey } = JSON.parse(text) as Partial<Credentials>;
    if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey };
  } catch {
    // Falls through: not JSON is as bad as JSON without the two fields.
  }
  throw new LocalCloudError(
    'bad_credentials_file',
    `${path} is not {"accessKeyId": ..., "secretAccessKey": ...}; restore it, or delete it to get a new key pair`,
  );
}
