/** For tests: turns a tokenizer.json into RoBERTa's own kind, byte-level BPE, without any merges. */

/** How byte-level BPE spells a byte. */
function spelled(): string[] {
  let unprintable = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(printable ? byte : 256 + unprintable++);
  });
}

export function makeByteLevel(json: Record<string, unknown>): void {
  const special = ['<s>', '<pad>', '</s>', '<unk>'];
  const step = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true };
  Object.assign(json, {
    normalizer: null,
    pre_tokenizer: step,
    decoder: step,
    post_processor: {
      type: 'RobertaProcessing',
      sep: ['</s>', 2],
      cls: ['<s>', 0],
      trim_offsets: true,
      add_prefix_space: true,
    },
    added_tokens: special.map((content, id) => ({
      ...{ id, content, special: true },
      ...{ single_word: false, lstrip: false, rstrip: false, normalized: false },
    })),
    model: {
      type: 'BPE',
      vocab: Object.fromEntries([...special, ...spelled()].map((token, id) => [token, id])),
      merges: [],
    },
  });
}
