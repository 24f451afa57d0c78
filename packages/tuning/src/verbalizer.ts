/**
 * A head that is not trained: the decoder's own output layer for the labels' words. XGLM predicts the
 * next token by products with its word embeddings, so the row of a label is the embedding of its
 * word, and the scores are the logits of the words, without a bias.
 */
import type { Backbone } from '@polyprompt/backbone';
import { readFloat32 } from '@polyprompt/safetensors';
import { TuningError } from './errors.ts';
import type { TuningSettings } from './settings.ts';

/**
 * @returns [hidden, classes] in the order of `labels`; of a word of several tokens, the mean of their rows
 * @throws TuningError `bad_setting` for labels without a word, words without a label, words that
 * come to the same row
 */
export async function verbalizerHead(
  backbone: Backbone,
  verbalizer: NonNullable<TuningSettings['verbalizer']>,
  labels: readonly string[],
): Promise<Float32Array> {
  const { spec } = backbone;
  const missing = labels.filter((label) => !Object.hasOwn(verbalizer, label));
  const unknown = Object.keys(verbalizer).filter((label) => !labels.includes(label));
  if (missing.length > 0 || unknown.length > 0) {
    const list = (values: readonly string[]) => values.map((v) => JSON.stringify(v)).join(', ');
    throw new TuningError(
      'bad_setting',
      `verbalizer must give each label of the data a word: ${[
        ...(missing.length > 0 ? [`${list(missing)} has none`] : []),
        ...(unknown.length > 0 ? [`${list(unknown)} is no label of the data`] : []),
      ].join('; ')}`,
    );
  }
  const words = labels.map((label) => verbalizer[label]!);
  const encodings = await backbone.tokenizer().encodeBatch(words);
  const tokens = encodings.map(({ ids, specialMask }) => ids.filter((_, i) => !specialMask[i]));
  tokens.forEach((ids, i) => {
    if (ids.length === 0) {
      throw new TuningError(
        'bad_setting',
        `verbalizer word ${JSON.stringify(words[i])} has no token; give "${labels[i]}" another`,
      );
    }
    const same = tokens.findIndex((other) => other.join() === ids.join());
    if (same < i) {
      throw new TuningError(
        'bad_setting',
        `verbalizer words ${JSON.stringify(words[same])} and ${JSON.stringify(words[i])} are the ` +
          `same tokens, so "${labels[same]}" and "${labels[i]}" could not be told apart`,
      );
    }
  });
  const head = new Float32Array(spec.hidden * labels.length);
  tokens.forEach((ids, c) => {
    for (const id of ids) {
      const row = embedding(backbone, id);
      for (let h = 0; h < spec.hidden; h++) {
        head[h * labels.length + c]! += row[h]! / ids.length;
      }
    }
  });
  return head;
}

/** One row of the word embeddings; the table can be a gigabyte. */
function embedding({ checkpoint, spec }: Backbone, id: number): Float32Array {
  const table = checkpoint.tensors.get('embeddings.word')!;
  const byteLength = table.byteLength / spec.vocabSize;
  return readFloat32(table.file, {
    ...table,
    shape: [spec.hidden],
    offset: table.offset + id * byteLength,
    byteLength,
  });
}
