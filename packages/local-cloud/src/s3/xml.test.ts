import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { childText, parseXml, writeXml } from './xml.ts';

describe('xml', () => {
  it('brings any text through', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const root = parseXml(
          writeXml('Root', [
            ['A', [['B', text]]],
            ['Gone', undefined],
          ]),
        );
        expect([root.name, childText(root.children[0]!, 'B'), childText(root, 'Gone')]).toEqual([
          'Root',
          text,
          undefined,
        ]);
      }),
    );
  });

  it('reads what the SDK writes', () => {
    const root = parseXml(
      '<?xml version="1.0"?>\n<Delete xmlns="urn:x"><!-- c --><Object><Key>a&amp;b&#x9;&#233;</Key></Object><Quiet/></Delete>\n',
    );
    expect(root.children.map(({ name }) => name)).toEqual(['Object', 'Quiet']);
    expect(childText(root.children[0]!, 'Key')).toBe('a&b\té');
  });

  it.each([
    '',
    'text',
    '<a>',
    '<a></b>',
    '</a>',
    '<a/><b/>',
    '<a>&unknown;</a>',
    '<a>& b</a>',
    '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    '<a><![CDATA[x]]></a>',
    '<a b=c/>',
  ])('refuses %j', (text) => {
    expect(() => parseXml(text)).toThrow('XML body was refused');
  });
});
