import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exactMatch, languageWords, squadWords, wordF1 } from './squad.ts';

describe('SQuAD exact match and F1', () => {
  // prediction, gold, exact match, F1; every line by hand after the official script.
  it.each([
    ['Paris', 'Paris', 1, 1],
    ['paris', 'PARIS', 1, 1],
    ['Paris.', 'Paris', 1, 1],
    ['"Paris"', '(Paris)', 1, 1],
    ['the Eiffel Tower', 'Eiffel Tower', 1, 1],
    ['The Eiffel Tower', 'an Eiffel tower', 1, 1],
    ['  Eiffel \t Tower\n', 'Eiffel Tower', 1, 1],
    ['Eiffel', 'Eiffel Tower', 0, 2 / 3],
    ['Eiffel Tower', 'Tower', 0, 2 / 3],
    ['Tower Eiffel', 'Eiffel Tower', 0, 1],
    ['London', 'Paris', 0, 0],
    ['in the city of Paris', 'Paris', 0, 2 / 5],
    ['one two three four', 'three four five six', 0, 1 / 2],
    // Repeated words count as often as both have them.
    ['new new york', 'new york', 0, 4 / 5],
    ['new york', 'new new york', 0, 4 / 5],
    ['no no no', 'no', 0, 1 / 2],
    // Punctuation is deleted, not replaced by a space.
    ['twenty-one', 'twentyone', 1, 1],
    ['twenty-one', 'twenty one', 0, 0],
    ['U.S.', 'US', 1, 1],
    ['3.5', '35', 1, 1],
    ["don't", 'dont', 1, 1],
    ['$5 million', '5 million', 1, 1],
    // Only ASCII punctuation goes.
    ['«Paris»', 'Paris', 0, 0],
    ['1990–2000', '19902000', 0, 0],
    ['don’t', 'dont', 0, 0],
    // Articles go as whole words, after the punctuation.
    ['anthem', 'them', 0, 0],
    ['theatre', 'atre', 0, 0],
    ['a b a', 'b', 1, 1],
    ["the'a", 'thea', 1, 1],
    ['vitamin A', 'vitamin', 1, 1],
    // Letters beside ASCII make words too: no article is cut out of them.
    ['año', 'ño', 0, 0],
    ['à', '', 0, 0],
    ['thé', 'é', 0, 0],
    // A combining mark is no part of a word to Python, so the bare "a" before it goes.
    ['a\u0301', '\u0301', 1, 1],
    ['ein Haus', 'Haus', 0, 2 / 3],
    ['一九九〇年', '一九九〇年', 1, 1],
    ['一九九〇年', '一九九〇', 0, 0],
    ['a\u00a0dog', 'dog', 1, 1],
    ['x\u3000y', 'x y', 1, 1],
    ['x\ufeffy', 'x y', 0, 0],
    ['x\x1fy', 'x y', 1, 1],
    ['İstanbul', 'i̇stanbul', 1, 1],
    ['50 %', '50', 1, 1],
    ['a_b', 'ab', 1, 1],
  ])('%j for %j: %d, %d', (prediction, gold, exact, f1) => {
    const [p, g] = [squadWords(prediction), squadWords(gold)];
    expect(exactMatch(p, g)).toBe(exact);
    expect(wordF1(p, g)).toBeCloseTo(f1, 12);
  });

  it('answers without words: equal, but worth nothing in v1.1 and everything in v2.0', () => {
    const none = squadWords('The...');
    expect(none).toEqual([]);
    expect(exactMatch(none, squadWords(''))).toBe(1);
    expect([wordF1(none, none), wordF1(none, none, 1)]).toEqual([0, 1]);
    expect([wordF1(none, ['x'], 1), wordF1(['x'], none, 1)]).toEqual([0, 0]);
  });

  it('F1 is symmetric, within bounds, and 1 exactly for the same words in any order', () => {
    const words = fc.array(fc.constantFrom('x', 'y', 'z', 'w'), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(words, words, (a, b) => {
        const f1 = wordF1(a, b);
        expect(f1).toBe(wordF1(b, a));
        expect(f1).toBeGreaterThanOrEqual(exactMatch(a, b));
        expect(f1).toBeLessThanOrEqual(1);
        expect(f1 === 1).toBe(String([...a].sort()) === String([...b].sort()));
      }),
    );
  });

  it('words do not change when they are read again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const words = squadWords(text);
        expect(squadWords(words.join(' '))).toEqual(words);
      }),
    );
  });
});

describe('the words of other languages', () => {
  it.each([
    ['en', 'The “Eiffel” Tower', ['eiffel', 'tower']],
    ['en-GB', 'an apple—red', ['applered']],
    ['es', 'el año de las luces', ['año', 'de', 'luces']],
    ['es', '¿la Alhambra?', ['alhambra']],
    ['de', 'der Rhein', ['rhein']],
    ['de', 'eines Tages, «die» Elbe', ['tages', 'elbe']],
    ['vi', 'của những người', ['người']],
    ['ar', 'المدينة الكبيرة', ['مدينة', 'كبيرة']],
    ['hi', 'नई दिल्ली।', ['नई', 'दिल्ली']],
    ['zh', '埃菲尔铁塔', ['埃', '菲', '尔', '铁', '塔']],
    ['zh-Hant', '1990 年,NBA 總決賽', ['1990', '年', 'nba', '總', '決', '賽']],
    ['zh', '《红楼梦》', ['红', '楼', '梦']],
    ['ja', '東京タワー', ['東', '京', 'タ', 'ワ', 'ー']],
    ['ja', 'は1958年。', ['は', '1958', '年']],
    ['th', 'น้ำใจ', ['น้', 'ำ', 'ใ', 'จ']],
    ['fr', "L'Europe et la France", ['europe', 'et', 'france']],
    ['fr', 'l’été', ['été']],
    ['it', "un'isola del Mediterraneo", ['isola', 'del', 'mediterraneo']],
    ['pt', 'os Lusíadas', ['lusíadas']],
    ['fi', 'the talo', ['the', 'talo']],
    ['sw', 'Mlima Kilimanjaro', ['mlima', 'kilimanjaro']],
    [undefined, 'the Nile', ['nile']],
  ])('%s: %s', (language, text, words) => {
    expect(languageWords(language)(text)).toEqual(words);
  });

  it('make half of a Chinese answer half right, where SQuAD says wrong', () => {
    const [prediction, gold] = ['北京大', '北京大学'];
    expect(wordF1(squadWords(prediction), squadWords(gold))).toBe(0);
    const words = languageWords('zh');
    expect(wordF1(words(prediction), words(gold))).toBeCloseTo(6 / 7, 12);
  });
});
