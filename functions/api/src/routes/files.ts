/** Data files: uploaded in a stream, checked on request, downloaded as they came. */
import { Readable } from 'node:stream';
import {
  FileCreateFields,
  type FileObject,
  ValidateFields,
  ValidateRequest,
  validate,
} from '@polyprompt/contract';
import type { FileRecord, Registry } from '@polyprompt/registry';
import type { Call, Handlers } from '../call.ts';
import type { DataChecks, DataToCheck } from '../check/check-data.ts';
import { type Count, collect, storedData } from '../check/stored-data.ts';
import type { ApiLimits } from '../deps.ts';
import { checkAnnouncedLength } from '../http/body.ts';
import type { HeldBytes } from '../http/held-bytes.ts';
import { openForm } from '../http/multipart.ts';
import { listOf, seconds } from '../wire.ts';

type Ids =
  | 'createFile'
  | 'listFiles'
  | 'presignFile'
  | 'validateFile'
  | 'retrieveFile'
  | 'deleteFile'
  | 'downloadFile';

/** Boundaries, headers and fields of a form around its file. */
const FORM_BYTES = 64 * 1024;
const PRESIGN = 'ask POST /v1/files/presign for a URL and PUT the file there';
const JOB_CHECKS = 'upload it and start a job, which checks files of any size before it trains';

export function fileHandlers(
  { files }: Pick<Registry, 'files'>,
  {
    checks,
    held,
    limits,
    now,
  }: { checks: DataChecks; held: HeldBytes; limits: ApiLimits; now: () => number },
): Handlers<Ids> {
  return {
    async createFile({ caller, request, signal }) {
      const maxBytes = limits.uploadBytes;
      checkAnnouncedLength(request, maxBytes + FORM_BYTES, PRESIGN);
      const form = await openForm(request, {
        maxBytes,
        advice: PRESIGN,
        parse: (fields) => validate(FileCreateFields, fields),
      });
      const { filename, content: body } = form;
      const file = await files.create(caller.tenant, {
        filename,
        purpose: 'fine-tune',
        body,
        signal,
        // Read by the registry behind the body: only then is the form read to its end.
        get expires() {
          return expiry(form.fields().expires_after?.seconds, now);
        },
      });
      return fileObject(file);
    },
    async listFiles({ caller, query }) {
      return listOf(await files.list(caller.tenant, query), fileObject);
    },
    async presignFile({ caller, json }) {
      const { filename, purpose, bytes } = await json();
      const { file, upload } = await files.presign(caller.tenant, { filename, purpose, bytes });
      return {
        object: 'file.upload',
        file: fileObject(file),
        method: 'PUT',
        url: upload.url,
        headers: { ...upload.headers },
        expires_at: seconds(upload.expires),
      };
    },
    async validateFile(call) {
      const { caller, header, signal } = call;
      if (header('content-type')?.startsWith('multipart/')) {
        return held.hold(caller.tenant, async (count) =>
          checks.check(caller.tenant, await sentData(call, limits.checkBytes, count), signal),
        );
      }
      const { file_id, task, ...reading } = validate(ValidateRequest, await call.jsonBody());
      const report = await held.hold(caller.tenant, async (count) => {
        const { tenant } = caller;
        const data = await storedData(files, tenant, file_id, limits.checkBytes, signal, count);
        return checks.check(tenant, { ...data, task, reading }, signal);
      });
      await files.setReport(caller.tenant, file_id, task, report);
      return report;
    },
    async retrieveFile({ caller, params }) {
      return fileObject(await files.get(caller.tenant, params.file_id));
    },
    async deleteFile({ caller, params }) {
      await files.remove(caller.tenant, params.file_id);
      return { id: params.file_id, object: 'file', deleted: true };
    },
    async downloadFile({ caller, params, signal }) {
      const { file, body } = await files.content(caller.tenant, params.file_id, { signal });
      // JSON can carry halves of surrogate pairs, which have no encoding.
      const name = encodeURIComponent(file.filename.toWellFormed());
      return new Response(Readable.toWeb(body) as ReadableStream, {
        headers: {
          'content-type': 'application/octet-stream',
          'content-length': String(file.bytes),
          'content-disposition': `attachment; filename*=UTF-8''${name}`,
        },
      });
    },
  };
}

async function sentData(
  { request }: Call<'validateFile'>,
  maxBytes: number,
  count: Count,
): Promise<DataToCheck> {
  checkAnnouncedLength(request, maxBytes + FORM_BYTES, JOB_CHECKS);
  const form = await openForm(request, {
    maxBytes,
    advice: JOB_CHECKS,
    parse: (fields) => validate(ValidateFields, fields),
  });
  const bytes = await collect(form.content, count);
  const { task, ...reading } = form.fields();
  return { task, reading, name: form.filename, bytes };
}

function expiry(secondsToLive: number | undefined, now: () => number): number | null {
  return secondsToLive === undefined ? null : now() + secondsToLive * 1000;
}

function fileObject(file: FileRecord): FileObject {
  const { id, bytes, created, filename, status, statusDetails, expires } = file;
  return {
    id,
    object: 'file',
    bytes,
    created_at: seconds(created),
    filename,
    purpose: file.purpose === 'fine-tune-results' ? 'fine-tune-results' : 'fine-tune',
    status,
    ...(expires !== null && { expires_at: seconds(expires) }),
    ...(statusDetails !== null && { status_details: statusDetails }),
  };
}
