/** From an event of a function URL (payload format 2.0) to a request. */

export interface FunctionUrlEvent {
  readonly rawPath: string;
  readonly rawQueryString: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly cookies?: readonly string[];
  readonly requestContext: {
    readonly domainName: string;
    readonly http: { readonly method: string };
  };
  readonly body?: string;
  readonly isBase64Encoded: boolean;
}

export function requestOf(event: FunctionUrlEvent, signal: AbortSignal): Request {
  const { rawPath, rawQueryString, requestContext, cookies, isBase64Encoded } = event;
  const { domainName, http } = requestContext;
  const url = `https://${domainName}${rawPath}${rawQueryString ? `?${rawQueryString}` : ''}`;
  const headers = new Headers();
  for (const [name, value] of Object.entries(event.headers)) {
    if (value !== undefined) headers.append(name, byteString(value));
  }
  if (cookies) headers.set('cookie', cookies.join('; '));
  if (event.body === undefined || http.method === 'GET' || http.method === 'HEAD') {
    return new Request(url, { method: http.method, headers, signal });
  }
  const body = Buffer.from(event.body, isBase64Encoded ? 'base64' : 'utf8');
  headers.set('content-length', String(body.byteLength));
  return new Request(url, { method: http.method, headers, signal, body });
}

/** A header has one byte per character; Lambda may have decoded it as UTF-8. */
function byteString(value: string): string {
  return /^[\0-\xff]*$/.test(value) ? value : Buffer.from(value).toString('latin1');
}
