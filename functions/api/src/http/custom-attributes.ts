/** The one header that SageMaker passes on to a container: `prompt=topics@production,key=<API key>`. */
const HEADER = 'X-Amzn-SageMaker-Custom-Attributes';

export interface CustomAttributes {
  /** Reference of the prompt that is asked. */
  readonly prompt?: string;
  /** API key, since the host keeps the Authorization header to itself. */
  readonly key?: string;
}

/** What else the header says is for others. */
export function customAttributes(headers: Headers): CustomAttributes {
  const found: { prompt?: string; key?: string } = {};
  for (const pair of (headers.get(HEADER) ?? '').split(/[,;]/)) {
    const [, name, value] = /^\s*(prompt|key)\s*=\s*(\S+)\s*$/.exec(pair) ?? [];
    if (name === 'prompt' || name === 'key') found[name] = value!;
  }
  return found;
}
