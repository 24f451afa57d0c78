/** Request bodies within a limit of bytes, whatever the client claims about their length. */
import { ApiError } from '@polyprompt/contract';

const FEWER = 'send fewer or shorter texts per request';

/** @throws ApiError `body.too_large` before anything is read if the client announces too much */
export function checkAnnouncedLength(request: Request, maxBytes: number, advice = FEWER): void {
  const announced = Number(request.headers.get('content-length') ?? 0);
  if (announced > maxBytes) throw ApiError.tooLarge(announced, maxBytes, advice);
}

/** @throws ApiError `body.too_large`, and what `count`, which is told of every piece, throws */
export async function readBytes(
  request: Request,
  maxBytes: number,
  advice = FEWER,
  count: (bytes: number) => void = () => undefined,
): Promise<Uint8Array> {
  checkAnnouncedLength(request, maxBytes, advice);
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of request.body ?? []) {
    size += piece.byteLength;
    if (size > maxBytes) throw ApiError.tooLarge(size, maxBytes, advice);
    count(piece.byteLength);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** @throws ApiError `body.too_large`, `invalid_json` if the bytes are not UTF-8, and what `count` throws */
export async function readText(
  request: Request,
  maxBytes: number,
  count: (bytes: number) => void,
): Promise<string> {
  const bytes = await readBytes(request, maxBytes, FEWER, count);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw ApiError.badRequest('invalid_json', 'the body is not JSON: it is not valid UTF-8');
  }
}
