import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { greeting } from './greeting.ts';

const PLACE = {
  url: 'http://localhost:1',
  backbone: 'mini',
  secret: 's',
  isNew: true,
  prompt: 'p',
};

it.each(['/home/me/examples', "/home/me/It's my folder/$HOME `x`"])(
  'prints an upload line that a shell reads as it is meant: %s',
  (examples) => {
    const line = greeting({ ...PLACE, examples })
      .split('\n')
      .find((each) => each.includes('purpose=fine-tune -F'))!;
    const shown = line.replace(/^curl/, "printf '%s\\n'");
    const words = execFileSync('sh', ['-c', shown], { encoding: 'utf8' }).trim().split('\n');
    expect(words.at(-1)).toBe(`file=@${examples}/train.jsonl`);
  },
);
