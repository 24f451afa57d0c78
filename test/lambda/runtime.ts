/**
 * What Lambda's Node runtime does around a handler, after its public source (aws-lambda-nodejs-runtime-interface-client):
 * the global `awslambda`, a response stream that sends status and headers as JSON and eight zero bytes before the body.
 */
import { Writable } from 'node:stream';

export interface Context {
  getRemainingTimeInMillis(): number;
}

export interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Whether the handler ended the stream, instead of breaking it. */
  readonly complete: boolean;
}

type Handler = (event: object, stream: Writable, context: Context) => Promise<void>;

const TYPE = 'application/vnd.awslambda.http-integration-response';
const SEPARATOR = Buffer.alloc(8);

export class ResponseStream extends Writable {
  readonly #pieces: Buffer[] = [];
  readonly #onPiece: (all: Buffer) => void;
  #type = '';
  #prelude: string | undefined;

  constructor(onPiece: (all: Buffer) => void = () => undefined) {
    super();
    this.#onPiece = onPiece;
  }

  begin(metadata: object): void {
    this.#type = TYPE;
    this.#prelude = JSON.stringify(metadata);
  }

  override _write(piece: Buffer, _: string, done: () => void): void {
    if (this.#prelude !== undefined) {
      this.#pieces.push(Buffer.from(this.#prelude), SEPARATOR);
      this.#prelude = undefined;
    }
    this.#pieces.push(piece);
    this.#onPiece(Buffer.concat(this.#pieces));
    done();
  }

  answer(): Answer {
    const all = Buffer.concat(this.#pieces);
    const end = all.indexOf(SEPARATOR);
    if (this.#type !== TYPE || end < 0) throw new Error('no status was sent');
    return {
      ...JSON.parse(all.subarray(0, end).toString()),
      body: all.subarray(end + SEPARATOR.length),
      complete: this.writableFinished,
    };
  }
}

/** Makes the global that a handler finds; before the handler's module is loaded. */
export function installRuntime(): void {
  Object.assign(globalThis, {
    awslambda: {
      streamifyResponse: (handler: Handler) => handler,
      HttpResponseStream: {
        from(stream: ResponseStream, metadata: object) {
          stream.begin(metadata);
          return stream;
        },
      },
    },
  });
}

/** Runs one invocation to its end. */
export async function invoke(
  handler: unknown,
  event: object,
  { remainingMs = 30_000, stream = new ResponseStream() } = {},
): Promise<Answer> {
  const ends = performance.now() + remainingMs;
  await (handler as Handler)(event, stream, {
    getRemainingTimeInMillis: () => ends - performance.now(),
  });
  return stream.answer();
}
