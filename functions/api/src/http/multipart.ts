/**
 * multipart/form-data with one file, streamed: nothing is buffered but the small fields. Fields may
 * come before or behind the file (OpenAI's clients send them in any order), so what they say is known
 * only when the file has been read; a form that turns out bad makes the file's stream fail, and with it
 * whatever stores it.
 */
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Busboy, type BusboyHeaders } from '@fastify/busboy';
import { ApiError, LIMITS, nestFields } from '@polyprompt/contract';

const FIELD_BYTES = 4096;
const MAX_FIELDS = 16;

export interface UploadForm<Fields> {
  readonly filename: string;
  /** The file's bytes; ends only after the whole form was read and found good. */
  readonly content: AsyncIterable<Uint8Array>;
  /** What `parse` made of the other fields, once `content` has been read to its end. */
  fields(): Fields;
}

export interface FormOptions<Fields> {
  readonly maxBytes: number;
  /** What to do instead with a file that is too large. */
  readonly advice: string;
  /** Checks the fields besides the file. */
  readonly parse: (fields: Record<string, unknown>) => Fields;
}

/**
 * Reads a form up to the beginning of its file.
 * @throws ApiError `invalid_request` for a body that is no such form; reading `content` throws
 * `body.too_large`, `invalid_request`, and what `parse` throws
 */
export async function openForm<Fields>(
  request: Request,
  { maxBytes, advice, parse }: FormOptions<Fields>,
): Promise<UploadForm<Fields>> {
  const busboy = createParser(request, maxBytes);
  const texts: [string, string][] = [];
  let problem: ApiError | undefined;
  const opened = Promise.withResolvers<{ filename: string; file: Readable }>();

  busboy.on('field', (name, value, nameTruncated, valueTruncated) => {
    texts.push([name, value]);
    if (nameTruncated || valueTruncated) problem ??= bad(`the field "${name}" is too long`, name);
  });
  busboy.on('file', (field, file, filename) => {
    if (field !== 'file') {
      problem ??= bad(`unexpected file in the field "${field}"; the file goes into "file"`, field);
      file.resume();
      return;
    }
    file.once('limit', () => {
      problem ??= ApiError.tooLarge(maxBytes + 1, maxBytes, advice);
    });
    const through = new PassThrough();
    file.on('error', (error) => through.destroy(error));
    file.pipe(through);
    opened.resolve({ filename: filename ?? '', file: through });
  });
  busboy.on('filesLimit', () => {
    problem ??= bad('the form has more than one file; send one per request', 'file');
  });
  for (const limit of ['fieldsLimit', 'partsLimit'] as const) {
    busboy.on(limit, () => {
      problem ??= bad(`the form has more than ${MAX_FIELDS} fields`);
    });
  }

  const source = request.body === null ? Readable.from([]) : Readable.fromWeb(request.body);
  const reading = new AbortController();
  const finished = pipeline(source, busboy, { signal: reading.signal }).catch((cause: unknown) => {
    throw request.signal.aborted ? cause : (problem ?? bad(`the form is damaged: ${why(cause)}`));
  });
  const fileless = finished.then(() => {
    throw problem ?? bad('the form has no file; send it in the field "file"', 'file');
  });
  fileless.catch(() => undefined);
  const { filename, file } = await Promise.race([opened.promise, fileless]);
  // A form that breaks off must break whoever reads the file, who would wait for ever otherwise.
  finished.catch((error) => file.destroy(error));

  let parsed: Fields | undefined;
  async function* content(): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of file) {
        if (problem) throw problem;
        yield piece;
      }
      await finished;
      if (problem) throw problem;
      parsed = parse(nestFields(texts));
    } finally {
      // Whoever stops early stops the upload as well.
      reading.abort();
    }
  }
  return {
    filename: checkFilename(filename),
    content: content(),
    fields: () => {
      if (parsed === undefined)
        throw new Error('the file must be read before the fields are asked');
      return parsed;
    },
  };
}

function createParser(request: Request, maxBytes: number) {
  try {
    return new Busboy({
      headers: { 'content-type': request.headers.get('content-type') ?? '' } as BusboyHeaders,
      limits: {
        fileSize: maxBytes,
        files: 1,
        fields: MAX_FIELDS,
        parts: MAX_FIELDS + 1,
        fieldSize: FIELD_BYTES,
      },
    });
  } catch (error) {
    throw bad(`the body is no multipart/form-data: ${why(error)}`);
  }
}

/** Without folders, which the parser has cut off; a name is for people, no path is made of it. */
function checkFilename(name: string): string {
  const limit = LIMITS.filenameLength;
  if (name.length <= limit) return name === '' ? 'file' : name;
  throw ApiError.unprocessable(
    'invalid_value',
    `file: the file name has ${name.length} characters, the limit is ${limit}`,
    'file',
  );
}

function bad(message: string, param?: string): ApiError {
  return ApiError.badRequest('invalid_request', message, param);
}

function why(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
