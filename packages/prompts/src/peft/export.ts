/** A prompt to a PEFT adapter folder: what PEFT can hold, exactly, and the rest beside it. */
import { encodeSafetensors, type TensorData } from '@polyprompt/safetensors';
import { assertBackbone } from '../backbone.ts';
import { PromptError } from '../errors.ts';
import { type Prompt, promptLength, type Tensor } from '../prompt.ts';
import type { PeftBackbone } from './backbone.ts';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, encodeAdapterConfig } from './config.ts';
import { EXTRAS_FILE, encodeExtras, HEAD_FILE, id2labelOf } from './extras.ts';
import { writeHead } from './heads.ts';
import { tableFromPrefix } from './layout.ts';
import { adapterReadme } from './readme.ts';

export interface ExportOptions {
  readonly backbone: PeftBackbone;
  /** How Python finds the model, such as `FacebookAI/xlm-roberta-base`. @default the backbone's name */
  readonly baseModel?: string | undefined;
}

export interface ExportedAdapter {
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Why the head is beside the adapter instead of in it, if so. */
  readonly headBeside: string | undefined;
}

/** @throws PromptError `wrong_backbone`, `not_exportable` */
export function exportPeft(
  prompt: Prompt,
  { backbone, baseModel = backbone.name }: ExportOptions,
): ExportedAdapter {
  assertBackbone(prompt, backbone);
  // A decoder's soft prompt is kept beside the prefix that it compiles to; PEFT has a type for either.
  const { softPrompt, prefix } = prompt;
  const source = softPrompt ?? prefix;
  if (source === undefined) {
    throw new PromptError(
      'not_exportable',
      'a prompt of method "head" has no virtual tokens, and PEFT no adapter without',
    );
  }
  if (prompt.positions !== 'shifted') {
    throw new PromptError(
      'not_exportable',
      `this prompt was trained with positions "${prompt.positions}"; PEFT's models count the virtual tokens, so it would answer otherwise there`,
    );
  }
  const head = writeHead(prompt, backbone);
  const embeddings = softPrompt ?? tableFromPrefix(prefix!);
  const config = encodeAdapterConfig({
    type: softPrompt ? 'PROMPT_TUNING' : 'PREFIX_TUNING',
    task: head.task,
    baseModel,
    length: promptLength(prompt),
    layers: backbone.layers,
    heads: backbone.heads,
    hidden: backbone.hidden,
    headModules: head.modules,
  });
  const extras = encodeExtras({
    format_version: 1,
    task: prompt.task,
    pooling: prompt.pooling,
    backbone: { name: backbone.name, fingerprint: backbone.fingerprint },
    id2label: id2labelOf(prompt.labels),
    ...(prompt.answering && { answering: prompt.answering }),
  });
  const files: Record<string, Uint8Array> = {
    [ADAPTER_CONFIG]: config,
    [ADAPTER_WEIGHTS]: encodeTensors([['prompt_embeddings', embeddings], ...head.tensors]),
    [EXTRAS_FILE]: extras,
    'README.md': new TextEncoder().encode(
      adapterReadme(prompt, { baseModel, head, soft: !!softPrompt }),
    ),
  };
  if (head.beside !== undefined) files[HEAD_FILE] = encodeTensors(headTensors(prompt));
  return { files, headBeside: head.beside };
}

function headTensors(prompt: Prompt): (readonly [string, Tensor])[] {
  const { denseWeight, denseBias, headWeight, headBias } = prompt;
  const dense: (readonly [string, Tensor])[] =
    denseWeight && denseBias
      ? [
          ['head.dense.weight', denseWeight],
          ['head.dense.bias', denseBias],
        ]
      : [];
  return [...dense, ['head.weight', headWeight], ['head.bias', headBias]];
}

function encodeTensors(tensors: readonly (readonly [string, Tensor])[]): Uint8Array {
  const entries = tensors.map(([name, { shape, data }]): [string, TensorData] => [
    name,
    { dtype: 'F32', shape, data },
  ]);
  return encodeSafetensors(entries, { format: 'pt' });
}
