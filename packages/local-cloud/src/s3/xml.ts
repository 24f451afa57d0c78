/** Just enough XML: the writer for S3's answers and a strict reader for its two request documents. */
import { s3Error } from './errors.ts';

export type XmlContent = string | number | boolean | readonly XmlNode[];
/** Element name and content; undefined content leaves the element out. */
export type XmlNode = readonly [name: string, content: XmlContent | undefined];

export function writeXml(root: string, content: readonly XmlNode[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${writeNodes(content)}</${root}>`;
}

/** Error documents carry no namespace. */
export function writeErrorXml(code: string, message: string, requestId: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${writeNodes([
    ['Code', code],
    ['Message', message],
    ['RequestId', requestId],
  ])}</Error>`;
}

function writeNodes(nodes: readonly XmlNode[]): string {
  return nodes
    .filter(([, content]) => content !== undefined)
    .map(
      ([name, content]) =>
        `<${name}>${Array.isArray(content) ? writeNodes(content) : escapeText(String(content))}</${name}>`,
    )
    .join('');
}

function escapeText(text: string): string {
  // Control characters are written as references because a raw CR or TAB would be normalised by parsers.
  return text.replace(/[&<>"\p{Cc}]/gu, (char) =>
    char === '&'
      ? '&amp;'
      : char === '<'
        ? '&lt;'
        : char === '>'
          ? '&gt;'
          : char === '"'
            ? '&quot;'
            : `&#x${char.charCodeAt(0).toString(16)};`,
  );
}

export interface XmlElement {
  readonly name: string;
  readonly children: XmlElement[];
  text: string;
}

const TOKEN =
  /<\?[^>]*\?>|<!--[\s\S]*?-->|<(\/?)([A-Za-z_][\w.:-]*)((?:\s+[\w.:-]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>|([^<]+)/y;

/** Elements and text only; a DOCTYPE, CDATA or anything ill-formed is refused. @throws WireError `MalformedXML`. */
export function parseXml(source: string): XmlElement {
  const document: XmlElement = { name: '', children: [], text: '' };
  const open = [document];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const token = TOKEN.exec(source);
    if (!token) throw malformed('it is not well-formed');
    const [, closing, name, , empty, text] = token;
    const current = open.at(-1)!;
    if (text !== undefined) current.text += resolveEntities(text);
    else if (name === undefined) continue;
    else if (closing) {
      if (current.name !== name || open.length === 1) throw malformed(`</${name}> closes nothing`);
      open.pop();
    } else {
      const element: XmlElement = { name, children: [], text: '' };
      current.children.push(element);
      if (!empty) open.push(element);
    }
  }
  const root = document.children[0];
  if (open.length > 1 || !root || document.children.length > 1 || document.text.trim() !== '')
    throw malformed('it does not have one root element');
  return root;
}

export function childText(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text;
}

function resolveEntities(text: string): string {
  return text.replace(/&([^;&]{0,10});?/g, (whole, entity: string) => {
    const named = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }[entity];
    if (named !== undefined) return named;
    const code = /^#x[0-9a-fA-F]+$/.test(entity)
      ? Number.parseInt(entity.slice(2), 16)
      : /^#\d+$/.test(entity)
        ? Number.parseInt(entity.slice(1), 10)
        : Number.NaN;
    if (!(code <= 0x10ffff)) throw malformed(`"${whole}" is not an entity`);
    return String.fromCodePoint(code);
  });
}

function malformed(detail: string) {
  return s3Error('MalformedXML', `The XML body was refused: ${detail}`);
}
