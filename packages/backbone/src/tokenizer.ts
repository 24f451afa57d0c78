// Text to token ids by the folder's own tokenizer.json, through the native `tokenizers` package.
// Of that package only `encode` is used: its truncation is a setting of the whole tokenizer and ends
// the process when given a limit it cannot keep; it does not take words that are already split; and its
// batches take no pairs, while single calls run on the same threads just as fast.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer as NativeTokenizer } from 'tokenizers';
import { type Encoding, type LimitOptions, makeEncoding, type WordSpans } from './encoding.ts';
import { BackboneError } from './errors.ts';
import { checkTemplates } from './tokenizer-check.ts';

export type TextInput = string | readonly [text: string, textPair: string];

/** Ids of the special tokens that this tokenizer has. */
export interface SpecialIds {
  readonly cls?: number;
  readonly sep?: number;
  readonly pad?: number;
  readonly unk?: number;
  readonly mask?: number;
}

/** The sign for the space in front of a word: SentencePiece's, and that of byte-level BPE (RoBERTa). */
const METASPACE = '▁';
const BYTE_LEVEL_SPACE = 'Ġ';

const SPECIAL_SPELLINGS: Readonly<Record<keyof SpecialIds, readonly string[]>> = {
  cls: ['[CLS]', '<s>'],
  sep: ['[SEP]', '</s>'],
  pad: ['[PAD]', '<pad>'],
  unk: ['[UNK]', '<unk>'],
  mask: ['[MASK]', '<mask>'],
};

/**
 * A backbone's tokenizer. Encoding runs on a thread of its own and never truncates or pads unless
 * asked to, whatever tokenizer.json says.
 */
export class Tokenizer {
  readonly #native: NativeTokenizer;
  readonly #path: string;
  /** Number of tokens, added ones included; every id is below it in the released tokenizers. */
  readonly vocabSize: number;
  readonly specialIds: SpecialIds;
  /** The sign for a space, standing alone. */
  readonly #mark: number | undefined;

  private constructor(path: string, native: NativeTokenizer, json: unknown) {
    this.#path = path;
    this.#native = native;
    this.vocabSize = native.getVocabSize(true);
    this.specialIds = findSpecialIds(native);
    this.#mark = this.idOf(isByteLevel(json) ? BYTE_LEVEL_SPACE : METASPACE);
  }

  /**
   * Loads `tokenizer.json` of a model folder.
   * @throws BackboneError `missing_tokenizer` or `bad_tokenizer`
   */
  static open(dir: string): Tokenizer {
    const path = join(dir, 'tokenizer.json');
    if (!existsSync(path)) {
      throw new BackboneError(
        'missing_tokenizer',
        `${dir} has no tokenizer.json; write one there, in that folder: python3 -c "from transformers import AutoTokenizer; AutoTokenizer.from_pretrained('.').save_pretrained('.')"`,
      );
    }
    const { native, json } = attempt(path, () => {
      const text = readFileSync(path, 'utf8');
      const parsed: unknown = JSON.parse(text);
      checkTemplates(parsed);
      return { native: NativeTokenizer.fromString(text), json: parsed };
    });
    native.disableTruncation();
    native.disablePadding();
    return new Tokenizer(path, native, json);
  }

  /**
   * Encodes one text, or two as a pair.
   * @throws BackboneError `bad_option` if a limit leaves no room for text
   */
  async encode(text: string, textPair?: string, options: LimitOptions = {}): Promise<Encoding> {
    const input: TextInput = textPair === undefined ? text : [text, textPair];
    const [encoding] = await this.encodeBatch([input], options);
    return encoding!;
  }

  /** Encodes many texts or pairs, in parallel; the results are in the order of the inputs. */
  encodeBatch(
    inputs: readonly TextInput[],
    options: LimitOptions = {},
  ): Promise<readonly Encoding[]> {
    return this.#encode(
      inputs.map((input) => (typeof input === 'string' ? [input] : [...input])),
      undefined,
      options,
    );
  }

  /**
   * Encodes texts that are already split into words: `wordIds` are indices into the given words, and
   * offsets refer to the words joined by single spaces. A word may have no token at all.
   */
  encodeWords(
    inputs: readonly (readonly string[])[],
    options: LimitOptions = {},
  ): Promise<readonly Encoding[]> {
    return this.#encode(
      inputs.map((words) => [words.join(' ')]),
      inputs.map((words) => wordSpans(words, this.#mark)),
      options,
    );
  }

  async #encode(
    inputs: readonly string[][],
    words: readonly WordSpans[] | undefined,
    options: LimitOptions,
  ): Promise<readonly Encoding[]> {
    // Half of a surrogate pair has no UTF-8 form; U+FFFD in its place keeps the count of code points.
    const texts = inputs.map((input) => input.map((text) => text.toWellFormed()));
    const natives = await attemptAsync(this.#path, () =>
      Promise.all(texts.map(([text, pair]) => this.#native.encode(text!, pair))),
    );
    return natives.map((native, i) => makeEncoding(native, texts[i]!, words?.[i], options));
  }

  /** The token of an id, as the vocabulary spells it; undefined for an id that it does not have. */
  tokenOf(id: number): string | undefined {
    return this.#native.idToToken(id) ?? undefined;
  }

  /** The id of a token; undefined for a token that the vocabulary does not have. */
  idOf(token: string): number | undefined {
    return this.#native.tokenToId(token) ?? undefined;
  }
}

function wordSpans(words: readonly string[], mark: number | undefined): WordSpans {
  let end = -1;
  return {
    mark,
    ends: words.map((word) => {
      end += 1 + [...word].length;
      return end;
    }),
  };
}

/** Elsewhere the sign is a letter of Maltese. */
function isByteLevel(json: unknown): boolean {
  const { decoder } = json as { readonly decoder?: { readonly type?: unknown } | null };
  return decoder?.type === 'ByteLevel';
}

function findSpecialIds(native: NativeTokenizer): SpecialIds {
  const ids: Partial<Record<keyof SpecialIds, number>> = {};
  for (const [role, spellings] of Object.entries(SPECIAL_SPELLINGS)) {
    const id = spellings.map((token) => native.tokenToId(token)).find((found) => found !== null);
    if (id !== undefined && id !== null) ids[role as keyof SpecialIds] = id;
  }
  return ids;
}

function attempt<T>(path: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw damaged(path, cause);
  }
}

async function attemptAsync<T>(path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw damaged(path, cause);
  }
}

function damaged(path: string, cause: unknown): BackboneError {
  return new BackboneError('bad_tokenizer', `${path} cannot be used: ${(cause as Error).message}`, {
    cause,
  });
}
