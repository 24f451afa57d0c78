import { TokenClassificationRequest, type Entity as WireEntity } from '@polyprompt/contract';
import type { Entity, TaggingInput, TokenClassificationTypes } from '@polyprompt/tasks';
import type { z } from 'zod';
import type { WireTask } from './wire-task.ts';

type Body = z.output<typeof TokenClassificationRequest>;
type WireInput = Exclude<Body['inputs'], readonly unknown[]>;

export const tokenClassificationWire: WireTask<TokenClassificationTypes, Body> = {
  task: 'token-classification',
  schema: TokenClassificationRequest,
  inputs: 'a text, an object with its tokens, or a list of them',
  read({ inputs, parameters }) {
    const { aggregation_strategy, ignore_labels, stride, offset_unit } = parameters ?? {};
    const offsetUnit = offset_unit ?? 'codepoint';
    return {
      inputs: (Array.isArray(inputs) ? inputs : [inputs]).map(toInput),
      options: {
        offsetUnit,
        ...(aggregation_strategy && { aggregation: aggregation_strategy }),
        ...(ignore_labels && { ignoreLabels: ignore_labels }),
        ...(typeof stride === 'number' && { stride }),
      },
      // Long texts are windowed: nothing is refused, and there is nothing to cut.
      truncate: false,
      offsetUnit,
      inputName: (index) => (Array.isArray(inputs) ? `inputs[${index}]` : 'inputs'),
      render(answers) {
        const lists = answers.map(({ entities }) => entities.map(toWire));
        return Array.isArray(inputs) ? lists : lists[0]!;
      },
    };
  },
};

function toInput(input: WireInput): TaggingInput {
  return typeof input === 'string' ? { text: input } : { tokens: input.tokens };
}

/** `entity_group` always: Hugging Face's JavaScript client refuses entities that have `entity` alone. */
function toWire({ group, tag, index, score, word, start, end }: Entity): WireEntity {
  return {
    ...(tag !== undefined && { entity: tag, index }),
    ...{ entity_group: group, score, word, start, end },
  };
}
