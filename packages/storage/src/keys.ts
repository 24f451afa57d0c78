/**
 * Where everything lies in the bucket. All keys are made here, from segments that are checked here: no name of
 * a tenant or a prompt can reach outside its folder.
 */
import { StorageError } from './errors.ts';

/** Digits that event numbers are padded to, so that key order is event order. */
const SEQUENCE_DIGITS = 10;
const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Whether a name or id may stand in a key: 1 to 128 of A-Z a-z 0-9 . _ -, starting with a letter or digit. */
export function isSegment(text: string): boolean {
  return SEGMENT.test(text);
}

/** @throws StorageError `bad_key`. */
function segment(what: string, text: string): string {
  if (isSegment(text)) return text;
  const shown = JSON.stringify(text.slice(0, 140));
  throw new StorageError(
    'bad_key',
    `${what} ${shown} is not allowed: 1 to 128 of A-Z a-z 0-9 . _ -, starting with a letter or digit`,
  );
}

function positive(what: string, number: number): string {
  if (Number.isSafeInteger(number) && number > 0) return String(number);
  throw new StorageError('bad_key', `${what} ${number} is not a positive integer`);
}

const tenantFolder = (tenant: string) => `tenants/${segment('tenant', tenant)}/`;

/** `keys/<key id>.json` */
export function apiKeyKey(id: string): string {
  return `keys/${segment('key id', id)}.json`;
}

/** Folders to list, each ending in `/`. */
export const folders = {
  apiKeys: 'keys/',
  backbones: 'backbones/',
  /** Of the tenants, with those of their jobs in each. */
  checkpoints: 'checkpoints/',
  tenants: 'tenants/',
  tenant: tenantFolder,
  files: (tenant: string) => `${tenantFolder(tenant)}files/`,
  jobs: (tenant: string) => `${tenantFolder(tenant)}jobs/`,
  prompts: (tenant: string) => `${tenantFolder(tenant)}prompts/`,
};

/** `tenants/<t>/files/<id>/{file.json,content}` */
export function fileKeys(tenant: string, id: string) {
  const folder = `${folders.files(tenant)}${segment('file id', id)}/`;
  return { folder, document: `${folder}file.json`, content: `${folder}content` };
}

/** `tenants/<t>/jobs/<id>/{job.json,lease.json,events/<seq>}` and `checkpoints/<t>/<id>/` */
export function jobKeys(tenant: string, id: string) {
  const folder = `${folders.jobs(tenant)}${segment('job id', id)}/`;
  const events = `${folder}events/`;
  return {
    folder,
    document: `${folder}job.json`,
    lease: `${folder}lease.json`,
    events,
    event: (sequence: number) =>
      `${events}${positive('event number', sequence).padStart(SEQUENCE_DIGITS, '0')}`,
    /** Apart from the rest: stores can be told by prefix alone what to forget sooner. */
    checkpoints: `${folders.checkpoints}${tenant}/${id}/`,
  };
}

/** `tenants/<t>/prompts/<name>/{prompt.json,versions/<n>/{prompt.safetensors,card.json}}` */
export function promptKeys(tenant: string, name: string) {
  const folder = `${folders.prompts(tenant)}${segment('prompt name', name)}/`;
  const versions = `${folder}versions/`;
  return {
    folder,
    document: `${folder}prompt.json`,
    versions,
    version: (number: number) => {
      const version = `${versions}${positive('version', number)}/`;
      return {
        folder: version,
        artifact: `${version}prompt.safetensors`,
        card: `${version}card.json`,
      };
    },
  };
}

/** `backbones/<id>/<file>`, `file` being a relative path such as `tokenizer.json` or `onnx/model.onnx`. */
export function backboneKeys(id: string) {
  const folder = `${folders.backbones}${segment('backbone id', id)}/`;
  return {
    folder,
    file: (path: string) =>
      folder +
      path
        .split('/')
        .map((part) => segment('backbone file', part))
        .join('/'),
  };
}
