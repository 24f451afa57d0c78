// JSON.parse forgets where things were. This walks over a text that it has accepted and remembers on
// which line each object begins.

type Frame = { readonly path: string; readonly isArray: boolean; index: number; key: string };

/** Lines from 1 of all objects, by paths such as `data[0].answers[2]`; the outermost has the path ''. */
export function objectLines(json: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  const frames: Frame[] = [];
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],:\n]/g;
  let line = 1;
  let text = '';
  for (const [found] of json.matchAll(token)) {
    const frame = frames.at(-1);
    switch (found) {
      case '\n':
        line++;
        break;
      case '{':
      case '[': {
        const path = frame ? pathIn(frame) : '';
        if (found === '{') lines.set(path, line);
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
        if (frame) frame.key = JSON.parse(text) as string;
        break;
      default:
        text = found;
    }
  }
  return lines;
}

function pathIn({ path, isArray, index, key }: Frame): string {
  if (isArray) return `${path}[${index}]`;
  return path === '' ? key : `${path}.${key}`;
}
