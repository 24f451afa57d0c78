import { TextClassificationRequest } from '@polyprompt/contract';
import type { TextClassificationTypes, TextInput } from '@polyprompt/tasks';
import type { z } from 'zod';
import type { WireTask } from './wire-task.ts';

type Body = z.output<typeof TextClassificationRequest>;
type WireInput = Exclude<Body['inputs'], readonly unknown[]>;

export const textClassificationWire: WireTask<TextClassificationTypes, Body> = {
  task: 'text-classification',
  schema: TextClassificationRequest,
  inputs: 'a text, a text pair or a list of them',
  read({ inputs, parameters, truncate }) {
    const { function_to_apply, top_k } = parameters ?? {};
    return {
      inputs: (Array.isArray(inputs) ? inputs : [inputs]).map(toInput),
      options: {
        ...(function_to_apply && { functionToApply: function_to_apply }),
        ...(top_k && { topK: top_k }),
      },
      truncate: parameters?.truncate ?? truncate ?? false,
      inputName: (index) => (Array.isArray(inputs) ? `inputs[${index}]` : 'inputs'),
      // A list of lists even for one text: the only shape that every client reads.
      render: (answers) => answers,
    };
  },
};

function toInput(input: WireInput): TextInput {
  return typeof input === 'string'
    ? { text: input }
    : { text: input.text, textPair: input.text_pair };
}
