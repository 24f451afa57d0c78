// Hugging Face's inference wire. Unknown fields are ignored, as clients expect; the response shapes
// are those that the JavaScript and the Python client both accept (classification: always a list of
// lists, even for one text).

import { OFFSET_UNITS } from '@polyprompt/text';
import { z } from 'zod';
import { LIMITS } from '../limits.ts';

const Text = z.string().min(1).max(LIMITS.textLength);
const oneOrMany = <T extends z.ZodType>(item: T) =>
  z.union([item, z.array(item).min(1).max(LIMITS.inputs)]);
const TopK = z.int().min(1).max(LIMITS.topK);
const Truncate = z
  .boolean()
  .describe('Cut texts that are too long instead of refusing them; the answer says so.');

const OffsetUnit = z
  .enum(OFFSET_UNITS)
  .describe(
    "What start and end count; code points unless asked otherwise. JavaScript's slice needs utf16.",
  );

export const TextPair = z
  .object({ text: Text, text_pair: Text })
  .meta({ id: 'TextPair', description: 'Two texts that are judged together.' });

export const TextClassificationRequest = z
  .object({
    inputs: oneOrMany(z.union([Text, TextPair])),
    parameters: z
      .object({
        function_to_apply: z.enum(['softmax', 'sigmoid', 'none']).nullish(),
        top_k: TopK.nullish().describe('Labels per text, best first; all of them unless given.'),
        truncate: Truncate.nullish(),
      })
      .nullish(),
    truncate: Truncate.nullish(),
  })
  .meta({ id: 'TextClassificationRequest' });

// A list is checked to its first word that is none: a body has room for a million of them, and a finding for each
// would hold the thread for seconds.
const Words = z.preprocess((words: unknown) => {
  if (!Array.isArray(words) || words.length > LIMITS.textTokens) return words;
  const bad = words.findIndex((word) => !Text.safeParse(word).success);
  return bad < 0 ? words : words.slice(0, bad + 1);
}, z.array(Text).min(1).max(LIMITS.textTokens));

export const TokenizedText = z.object({ tokens: Words }).meta({
  id: 'TokenizedText',
  description: 'Words that are split already; offsets count them as joined by single spaces.',
});

export const TokenClassificationRequest = z
  .object({
    inputs: oneOrMany(z.union([Text, TokenizedText])),
    parameters: z
      .object({
        aggregation_strategy: z
          .enum(['none', 'simple', 'first', 'average', 'max'])
          .nullish()
          .describe('How words become entities, simple unless given; none lists tokens.'),
        ignore_labels: z
          .array(z.string())
          .max(LIMITS.ignoredLabels)
          .nullish()
          .describe('Only O unless given.'),
        stride: z.int().nonnegative().nullish().describe('Tokens that neighbouring windows share.'),
        offset_unit: OffsetUnit.nullish(),
      })
      .nullish(),
  })
  .meta({ id: 'TokenClassificationRequest' });

const notBlank = (text: string) => text.trim() !== '';
const BLANK = 'holds nothing but white space';

export const QuestionInContext = z
  .object({
    question: Text.refine(notBlank, BLANK),
    context: z.string().min(1).max(LIMITS.contextLength).refine(notBlank, BLANK),
  })
  .meta({ id: 'QuestionInContext', description: 'The answer is a part of the context.' });

export const QuestionAnsweringRequest = z
  .object({
    inputs: oneOrMany(QuestionInContext),
    parameters: z
      .object({
        top_k: z
          .int()
          .min(1)
          .max(LIMITS.answers)
          .nullish()
          .describe('Answers; without it, or with 1, the answer is an object.'),
        doc_stride: z
          .int()
          .nonnegative()
          .nullish()
          .describe(
            'Tokens that neighbouring windows share, at most half of their context; 128 unless given.',
          ),
        max_answer_len: z
          .int()
          .min(1)
          .nullish()
          .describe('Longest answer in tokens, 30 unless given.'),
        max_seq_len: z
          .int()
          .min(1)
          .nullish()
          .describe(
            'Tokens of a window, the question included: 384 unless given, or what the backbone has room for.',
          ),
        max_question_len: z
          .int()
          .min(1)
          .nullish()
          .describe(
            'Longest question in tokens; unless given, what leaves a quarter of the window.',
          ),
        handle_impossible_answer: z
          .boolean()
          .nullish()
          .describe('Let an empty answer say that the context holds none.'),
        null_threshold: z
          .number()
          .nullish()
          .describe(
            'How much the log probability of "none" must exceed that of the best answer; unless given, what the prompt chose on its dev set, or 0.',
          ),
        align_to_words: z
          .boolean()
          .nullish()
          .describe("Extend answers to whole words of the context's language; true unless given."),
        truncate: Truncate.nullish().describe('Cut a question that is too long.'),
        offset_unit: OffsetUnit.nullish(),
      })
      .nullish(),
    truncate: Truncate.nullish(),
  })
  .meta({ id: 'QuestionAnsweringRequest' });

export const ZeroShotRequest = z
  .object({
    inputs: Text,
    parameters: z.object({
      candidate_labels: z.array(z.string().min(1)).min(1).max(LIMITS.candidateLabels),
      hypothesis_template: z.string().includes('{}').nullish(),
      multi_label: z.boolean().nullish(),
    }),
  })
  .meta({ id: 'ZeroShotRequest' });

/** Which of them a body must be depends on the task of the prompt in the path. */
export const InferenceRequest = z
  .union([
    TextClassificationRequest,
    TokenClassificationRequest,
    QuestionAnsweringRequest,
    ZeroShotRequest,
  ])
  .meta({ id: 'InferenceRequest' });

export const UnnamedInferenceRequest = InferenceRequest.and(
  z.object({
    model: z.string().min(1).max(LIMITS.referenceLength).optional().describe('A prompt reference.'),
  }),
).meta({ id: 'UnnamedInferenceRequest' });

export const LabelScore = z
  .object({ label: z.string(), score: z.number() })
  .meta({ id: 'LabelScore' });

export const TextClassificationResponse = z.array(z.array(LabelScore)).meta({
  id: 'TextClassificationResponse',
  description: 'One row per text, best label first; a list of lists even for one text.',
});

export const Entity = z
  .object({
    entity_group: z.string(),
    entity: z.string().optional().describe('With aggregation none: the tag, such as B-PER.'),
    score: z.number(),
    word: z.string(),
    start: z.int().nonnegative(),
    end: z.int().nonnegative(),
    index: z.int().nonnegative().optional(),
  })
  .meta({ id: 'Entity' });

export const TokenClassificationResponse = z
  .union([z.array(Entity), z.array(z.array(Entity))])
  .meta({
    id: 'TokenClassificationResponse',
    description: 'A list for one text, a list of lists for an array.',
  });

export const Answer = z
  .object({
    answer: z.string(),
    score: z.number(),
    start: z.int().nonnegative(),
    end: z.int().nonnegative(),
  })
  .meta({ id: 'Answer', description: 'An empty answer says that the context holds none.' });

export const QuestionAnsweringResponse = z
  .union([Answer, z.array(Answer), z.array(z.array(Answer))])
  .meta({
    id: 'QuestionAnsweringResponse',
    description:
      'An object without top_k or with 1, else a list, best first; for an array one of these per input.',
  });

export const ZeroShotResponse = z
  .union([
    z.array(LabelScore),
    z.object({
      sequence: z.string().optional(),
      labels: z.array(z.string()),
      scores: z.array(z.number()),
    }),
  ])
  .meta({ id: 'ZeroShotResponse' });

export const InferenceResponse = z
  .union([
    TextClassificationResponse,
    TokenClassificationResponse,
    QuestionAnsweringResponse,
    ZeroShotResponse,
  ])
  .meta({ id: 'InferenceResponse' });

export type LabelScore = z.infer<typeof LabelScore>;
export type Entity = z.infer<typeof Entity>;
export type Answer = z.infer<typeof Answer>;
export type TextClassificationRequest = z.output<typeof TextClassificationRequest>;
export type TokenClassificationRequest = z.output<typeof TokenClassificationRequest>;
export type QuestionAnsweringRequest = z.output<typeof QuestionAnsweringRequest>;
