// JSON.parse forgets where things were. This walks over a text that it has accepted and remembers on
// which line each object begins.

type Frame = { readonly path: string; readonly isArray: boolean; index: number; key: string };

/** Rows lie less deep than this, and paths without end would fill the memory. */
const DEEPEST = 16;

/**
 * Lines from 1 of all objects but those that lie very deep, by paths such as `data[0].answers[2]`; the
 * outermost has the path ''.
 */
export function objectLines(json: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  const frames: Frame[] = [];
  const token = /["{}[\],:\n]/g;
  let line = 1;
  let text = '';
  for (let match = token.exec(json); match !== null; match = token.exec(json)) {
    const [found] = match;
    const frame = frames.at(-1);
    switch (found) {
      case '\n':
        line++;
        break;
      case '{':
      case '[': {
        const isNear = frames.length < DEEPEST;
        const path = frame && isNear ? pathIn(frame) : '';
        if (found === '{' && isNear) lines.set(path, line);
        frames.push({ path, isArray: found === '[', index: 0, key: '' });
        break;
      }
      case '}':
      case ']':
        frames.pop();
        break;
      case ',':
        if (frame) frame.index++;
        break;
      case ':':
        if (frame && frames.length < DEEPEST) frame.key = JSON.parse(text) as string;
        break;
      default:
        token.lastIndex = endOfString(json, match.index);
        text = json.slice(match.index, token.lastIndex);
    }
  }
  return lines;
}

/** By hand, since one pattern for a whole string runs out of stack where that is long. */
function endOfString(json: string, start: number): number {
  for (let quote = json.indexOf('"', start + 1); ; quote = json.indexOf('"', quote + 1)) {
    let escapes = 0;
    while (json[quote - 1 - escapes] === '\\') escapes++;
    if (escapes % 2 === 0) return quote + 1;
  }
}

function pathIn({ path, isArray, index, key }: Frame): string {
  if (isArray) return `${path}[${index}]`;
  return path === '' ? key : `${path}.${key}`;
}
