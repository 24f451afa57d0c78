// SQuAD's nesting: articles of paragraphs of questions. Also what people make of it: a list of articles
// without the frame, and flat rows.

import { type Expand, expandRows, isObject, type NestedRow } from '../datasets/json-document.ts';

/** The questions of a document as rows, each with the context and the language that it stands in. */
export const expandSquad: Expand = (document, report) => {
  const data = isObject(document) ? document.data : document;
  const isNested =
    Array.isArray(data) && data.some((each) => isObject(each) && 'paragraphs' in each);
  if (!isNested) return expandRows(document, report);
  const root = isObject(document) ? 'data' : '';
  const outer = isObject(document) ? languageOf(document) : {};

  const children = (list: unknown, path: string): [Record<string, unknown>, string][] => {
    if (!Array.isArray(list)) {
      report(path, list, 'an array');
      return [];
    }
    return list.flatMap((each: unknown, i): [Record<string, unknown>, string][] => {
      if (isObject(each)) return [[each, `${path}[${i}]`]];
      report(`${path}[${i}]`, each, 'an object');
      return [];
    });
  };
  return children(data, root).flatMap(([article, atArticle]) =>
    children(article.paragraphs, `${atArticle}.paragraphs`).flatMap(([paragraph, atParagraph]) =>
      children(paragraph.qas, `${atParagraph}.qas`).map(
        ([question, path]): NestedRow => ({
          path,
          cells: {
            ...outer,
            ...languageOf(article),
            ...languageOf(paragraph),
            context: paragraph.context,
            ...question,
          },
        }),
      ),
    ),
  );
};

function languageOf({ language }: Record<string, unknown>): { language?: unknown } {
  return language === undefined ? {} : { language };
}
