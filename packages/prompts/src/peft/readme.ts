/** The README.md of an exported adapter: what it is, how Python loads it, what to mind. */
import type { Prompt } from '../prompt.ts';
import { EXTRAS_FILE, HEAD_FILE } from './extras.ts';
import type { WrittenHead } from './heads.ts';

const MODEL_CLASSES: Readonly<Record<string, string>> = {
  SEQ_CLS: 'AutoModelForSequenceClassification',
  TOKEN_CLS: 'AutoModelForTokenClassification',
  QUESTION_ANS: 'AutoModelForQuestionAnswering',
  FEATURE_EXTRACTION: 'AutoModel',
};

export function adapterReadme(
  prompt: Prompt,
  { baseModel, head, soft }: { baseModel: string; head: WrittenHead; soft: boolean },
): string {
  const model = MODEL_CLASSES[head.task]!;
  const labels = head.task === 'SEQ_CLS' || head.task === 'TOKEN_CLS';
  const length = soft ? prompt.softPrompt!.shape[0] : prompt.prefix!.shape[3];
  return `---
base_model: ${JSON.stringify(baseModel)}
library_name: peft
tags: [polyprompt]
---

# ${prompt.task} by ${length} virtual tokens

Exported by polyprompt from a prompt for the backbone ${prompt.backboneName}
(${prompt.backbone}). Labels: ${prompt.labels.map((label) => `\`${label}\``).join(', ')}.

\`\`\`python
import json
from peft import PeftModel
from transformers import ${model}

${labels ? `id2label = {int(i): label for i, label in json.load(open('${EXTRAS_FILE}'))['id2label'].items()}\n` : ''}base = ${model}.from_pretrained(${JSON.stringify(baseModel)}${labels ? ', id2label=id2label, label2id={l: i for i, l in id2label.items()}' : ''})
model = PeftModel.from_pretrained(base, '.').eval()
\`\`\`
${head.beside === undefined ? '' : headText(prompt, head.beside, soft)}
\`${EXTRAS_FILE}\` has what an adapter has no place for: labels, pooling, fingerprint of the backbone${prompt.answering ? ', threshold of "no answer"' : ''}. With it,
\`polyprompt prompt import\` reads the folder back to the same numbers.

Virtual tokens count as positions: a text has that many tokens less room. Releases of transformers differ in how
encoders take \`past_key_values\`; if the answers differ from polyprompt's, compare the last hidden states first.
`;
}

function headText({ pooling, denseWeight }: Prompt, why: string, soft: boolean): string {
  const first = soft ? 'the first token behind the prompt' : 'the first token';
  const state: Record<Prompt['pooling'], string> = {
    first: `the state of ${first}`,
    pooler: `tanh(pooler.dense(x)) of the state x of ${first}`,
    mean: 'the mean of the states of all real tokens, special ones included',
    last: 'the state of the last real token',
    virtual: 'the state of the first virtual token',
    'virtual-pooler': 'tanh(pooler.dense(x)) of the state x of the first virtual token',
  };
  return `
The head is beside the adapter, in \`${HEAD_FILE}\`, because ${why}.
Read ${state[pooling]}${denseWeight ? ', put it through tanh(x @ head.dense.weight + head.dense.bias)' : ''}; then
\`logits = x @ head.weight + head.bias\`.
`;
}
