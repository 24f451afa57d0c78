import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wordsOf } from './words.ts';

const split = (text: string) => wordsOf({ text }).words;

describe('words of a text', () => {
  it.each([
    ['Anna lives in Paris.', ['Anna', 'lives', 'in', 'Paris', '.']],
    ["It can't cost 3.14 €...", ['It', "can't", 'cost', '3.14', '€', '...']],
    ['Jean-Luc, 42', ['Jean', '-', 'Luc', ',', '42']],
    ['東京タワーは高い。', ['東京タワー', 'は', '高い', '。']],
    ['北京大学在北京。', ['北京', '大学', '在', '北京', '。']],
    ['سافر أحمد إلى القاهرة.', ['سافر', 'أحمد', 'إلى', 'القاهرة', '.']],
    ['नरेंद्र मोदी दिल्ली में हैं।', ['नरेंद्र', 'मोदी', 'दिल्ली', 'में', 'हैं', '।']],
    ['Ünïcode e\u0301te\u0301', ['Ünïcode', 'e\u0301te\u0301']],
    ['👩‍👩‍👧 in Köln 🇩🇪', ['👩‍👩‍👧', 'in', 'Köln', '🇩🇪']],
    ['ﬁnd 5㎏ ½', ['ﬁnd', '5', '㎏', '½']],
    [' \n\t', []],
  ])('%s', (text, expected) => {
    expect(split(text)).toEqual(expected);
  });

  it('are slices of it in order, and hold everything but white space', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const { spans, words } = wordsOf({ text });
        const points = [...text];
        expect(spans.map(([start, end]) => points.slice(start, end).join(''))).toEqual([...words]);
        spans.forEach(([start, end], i) => {
          expect(start).toBeGreaterThanOrEqual(spans[i - 1]?.[1] ?? 0);
          expect(end).toBeGreaterThan(start);
        });
        expect(words.join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''));
      }),
    );
  });

  it('are cut where spans of the data begin and end', () => {
    const label = 'LOC';
    const { words } = wordsOf({ text: "Ankara'da Berlinben" }, [
      { start: 0, end: 6, label },
      { start: 10, end: 16, label },
    ]);
    expect(words).toEqual(['Ankara', "'da", 'Berlin', 'ben']);
  });
});

it('takes given words as they are, joined by spaces', () => {
  const { text, spans } = wordsOf({ tokens: ['😀', 'a b', '.'] });
  expect(text.text).toBe('😀 a b .');
  expect(spans).toEqual([
    [0, 1],
    [2, 5],
    [6, 7],
  ]);
});
