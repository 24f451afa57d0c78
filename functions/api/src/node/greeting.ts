/** What a person reads when the service has started. */
import { join } from 'node:path';

export interface Greeting {
  readonly url: string;
  readonly backbone: string;
  /** Undefined when only the hash of the keys is known, as after every first start. */
  readonly secret: string | undefined;
  /** Whether the secret was made just now and is shown this once. */
  readonly isNew: boolean;
  /** A prompt that can be asked. */
  readonly prompt: string | undefined;
  /** Folder of the data files to try it with. */
  readonly examples: string;
}

export function greeting({ url, backbone, secret, isNew, prompt, examples }: Greeting): string {
  const lines = ['', `polyprompt on ${url} with ${backbone}; its API: ${url}/docs`];
  if (secret === undefined) {
    lines.push('The key was shown at the first start; POLYPROMPT_KEY=<a new one> adds another.');
    return `${lines.join('\n')}\n\n`;
  }
  if (isNew) lines.push('', `Your key, shown this once: ${secret}`);
  const auth = `-H 'Authorization: Bearer ${secret}'`;
  const file = join(examples, 'train.jsonl');
  const newest = `curl -s '${url}/v1/files?purpose=fine-tune&limit=1' ${auth} | grep -o 'file-[A-Za-z0-9_-]*' | head -n 1`;
  const job = `'{"model":"${backbone}","training_file":"'"$(${newest})"'","suffix":"my-topics","prompt":{"task":"text-classification"}}'`;
  if (prompt !== undefined) {
    const body = `'{"inputs":"Cuece el arroz con agua y sal."}'`;
    lines.push('', 'Ask a prompt:', `curl ${url}/models/${prompt} ${auth} -d ${body}`);
  }
  lines.push(
    '',
    'Upload data:',
    `curl ${url}/v1/files ${auth} -F purpose=fine-tune -F ${quoted(`file=@${file}`)}`,
  );
  lines.push(
    '',
    'Train a prompt on the newest file:',
    `curl ${url}/v1/fine_tuning/jobs ${auth} -d ${job}`,
  );
  return `${lines.join('\n')}\n\n`;
}

/** For a POSIX shell: a folder may have spaces and quotes in its name. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
