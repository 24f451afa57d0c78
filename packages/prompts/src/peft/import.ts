/**
 * A PEFT adapter folder to a prompt. Everything is checked against the backbone that it is to run on, and nothing is
 * passed over: an adapter that computes something else here than there is refused, not approximated.
 */
import { decodeSafetensors, SafetensorsError, toFloat32 } from '@polyprompt/safetensors';
import { assertBackbone } from '../backbone.ts';
import { contentHash } from '../canonical.ts';
import type { CardDetails } from '../card.ts';
import { PromptError } from '../errors.ts';
import { checkPrompt, type Prompt, type Tensor } from '../prompt.ts';
import type { PeftBackbone } from './backbone.ts';
import {
  ADAPTER_CONFIG,
  ADAPTER_PICKLE,
  ADAPTER_WEIGHTS,
  type AdapterConfig,
  decodeAdapterConfig,
} from './config.ts';
import {
  decodeExtras,
  EXTRAS_FILE,
  HEAD_FILE,
  labelsOf,
  labelsOfModel,
  MODEL_CONFIG,
} from './extras.ts';
import { type Head, readHead, TASK_TYPES, type TaskName } from './heads.ts';
import { prefixFromTable } from './layout.ts';

/** Files of an adapter folder by name. */
export type PeftFiles = Readonly<Record<string, Uint8Array>>;

export interface ImportOptions {
  /** The backbone that the adapter was trained on. */
  readonly backbone: PeftBackbone;
  /** Where adapter_config.json does not say it. */
  readonly task?: TaskName | undefined;
  /** Label by index; an adapter does not hold them. Without them, those of files beside it. */
  readonly labels?: readonly string[] | undefined;
  /** What to call the folder in messages. */
  readonly source?: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface ImportedPrompt {
  readonly prompt: Prompt;
  readonly details: CardDetails;
  /** What a person should know, though it hinders nothing. */
  readonly notes: readonly string[];
}

const EMBEDDINGS = 'prompt_embeddings';

/** Whether files are an adapter folder. */
export function isPeft(names: Iterable<string>): boolean {
  const all = new Set(names);
  return all.has(ADAPTER_CONFIG) || all.has(ADAPTER_WEIGHTS) || all.has(ADAPTER_PICKLE);
}

/** @throws PromptError `bad_adapter`, `unsupported_adapter`, `wrong_backbone`, `not_finite`, `bad_prompt` */
export function importPeft(files: PeftFiles, options: ImportOptions): ImportedPrompt {
  const { backbone, source = '', now = Date.now } = options;
  const named = (name: string) => (source === '' ? name : `${source}/${name}`);
  const config = decodeAdapterConfig(
    requireFile(files, ADAPTER_CONFIG, source),
    named(ADAPTER_CONFIG),
  );
  const extras = files[EXTRAS_FILE] && decodeExtras(files[EXTRAS_FILE], named(EXTRAS_FILE));
  if (extras) {
    const { name, fingerprint } = extras.backbone;
    assertBackbone({ backbone: fingerprint, backboneName: name }, backbone);
  }
  assertShape(named(ADAPTER_CONFIG), config, backbone);

  const weights = requireFile(files, ADAPTER_WEIGHTS, source);
  const tensors = readTensors(weights, named(ADAPTER_WEIGHTS));
  const embeddings = takeEmbeddings(named(ADAPTER_WEIGHTS), tensors, config);
  const task = taskOf(named(ADAPTER_CONFIG), config, extras?.task ?? options.task);
  const beside = files[HEAD_FILE];
  const head: Head =
    beside && extras
      ? headBeside(named(HEAD_FILE), readTensors(beside, named(HEAD_FILE)), extras.pooling, tensors)
      : asPooler(
          readHead(named(ADAPTER_WEIGHTS), tensors, task, config.peft_type, backbone),
          backbone,
        );
  const labels = labelsFor(files, named, task, head.headBias.data.length, options.labels);

  const prefix = config.peft_type === 'PREFIX_TUNING';
  const prompt: Prompt = {
    task,
    labels: [...labels],
    method: prefix ? 'prefix' : 'soft',
    backbone: backbone.fingerprint,
    backboneName: backbone.name,
    positions: 'shifted',
    ...(extras?.answering && { answering: extras.answering }),
    ...head,
    ...(prefix
      ? { prefix: prefixFromTable(embeddings, backbone.layers, backbone.heads) }
      : { softPrompt: embeddings }),
    training: {
      recipe: 'imported',
      seed: 0,
      epochs: 0,
      steps: 0,
      best: 0,
      examples: { train: 0, dev: 0 },
      languages: [],
      metric: 'none',
      score: 0,
    },
  };
  checkPrompt(source || 'the adapter', prompt);
  const { peft_type, task_type = null, base_model_name_or_path: base = null } = config;
  return {
    prompt,
    details: {
      created: new Date(now()).toISOString(),
      data: [],
      settings: {
        imported_from: 'peft',
        peft_type,
        task_type,
        base_model_name_or_path: base,
        adapter: contentHash(weights),
      },
      metrics: {},
      lineage: { parent: null },
      versions: {},
      wall_seconds: 0,
      device: 'none',
    },
    notes: notesOf(config, backbone, extras !== undefined),
  };
}

function requireFile(files: PeftFiles, name: string, source: string): Uint8Array {
  const found = files[name];
  if (found !== undefined) return found;
  const folder = source === '' ? 'the adapter' : source;
  if (name === ADAPTER_WEIGHTS && files[ADAPTER_PICKLE] !== undefined) {
    throw new PromptError(
      'unsupported_adapter',
      `${folder} has its weights in ${ADAPTER_PICKLE}, a pickle, which can run code when opened and is not read; convert it where you trust it, in that folder: python3 -c "import torch; from safetensors.torch import save_file; save_file({k: v.contiguous() for k, v in torch.load('${ADAPTER_PICKLE}', map_location='cpu', weights_only=True).items()}, '${ADAPTER_WEIGHTS}', {'format': 'pt'})"`,
    );
  }
  throw new PromptError(
    'bad_adapter',
    `${folder} has no ${name}; a PEFT adapter has ${ADAPTER_CONFIG} and ${ADAPTER_WEIGHTS}`,
  );
}

function readTensors(bytes: Uint8Array, source: string): Map<string, Tensor> {
  try {
    const { tensors } = decodeSafetensors(bytes, source);
    return new Map(
      [...tensors].map(([name, { dtype, shape, data }]) => [
        name,
        { shape, data: toFloat32(dtype, data, name) },
      ]),
    );
  } catch (cause) {
    if (!(cause instanceof SafetensorsError)) throw cause;
    throw new PromptError('bad_adapter', cause.message, { cause });
  }
}

function assertShape(source: string, config: AdapterConfig, backbone: PeftBackbone): void {
  const { layers, heads, hidden, name, maxLength } = backbone;
  const facts = [
    ['num_layers', config.num_layers, layers],
    ['num_attention_heads', config.num_attention_heads, heads],
    ['token_dim', config.token_dim, hidden],
  ] as const;
  for (const [field, found, wanted] of facts) {
    // A soft prompt lies in front of the text and has nothing to do with layers and heads.
    if (found === wanted || (config.peft_type !== 'PREFIX_TUNING' && field !== 'token_dim'))
      continue;
    throw new PromptError(
      'wrong_backbone',
      `${source}: ${field} is ${found}, the backbone "${name}" has ${wanted}; give the backbone that the adapter was trained on (${config.base_model_name_or_path ?? 'its config does not name it'})`,
    );
  }
  if (config.num_virtual_tokens > maxLength) {
    throw new PromptError(
      'wrong_backbone',
      `${source}: num_virtual_tokens is ${config.num_virtual_tokens}, the backbone "${name}" has room for ${maxLength}`,
    );
  }
}

function takeEmbeddings(
  source: string,
  tensors: Map<string, Tensor>,
  { peft_type, num_virtual_tokens, num_layers, token_dim }: AdapterConfig,
): Tensor {
  const table = tensors.get(EMBEDDINGS);
  if (table === undefined) {
    const lora = [...tensors.keys()].some((key) => key.includes('lora_'));
    throw new PromptError(
      'bad_adapter',
      `${source} has no tensor "${EMBEDDINGS}"${lora ? '; it holds a LoRA' : `, it has ${[...tensors.keys()].join(', ') || 'none'}`}`,
    );
  }
  tensors.delete(EMBEDDINGS);
  const width = peft_type === 'PREFIX_TUNING' ? 2 * num_layers * token_dim : token_dim;
  const wanted = [num_virtual_tokens, width];
  if (String(table.shape) === String(wanted)) return table;
  throw new PromptError(
    'bad_adapter',
    `${source}: "${EMBEDDINGS}" is [${table.shape}], its config asks for [${wanted}]`,
  );
}

function taskOf(
  source: string,
  { task_type }: AdapterConfig,
  given: TaskName | undefined,
): TaskName {
  const own = task_type ? TASK_TYPES[task_type] : undefined;
  if (own !== undefined && given !== undefined && own !== given) {
    throw new PromptError(
      'bad_adapter',
      `${source}: task_type is ${task_type}, which is not ${given}`,
    );
  }
  const task = own ?? given;
  const generates = task_type === 'CAUSAL_LM' || task_type === 'SEQ_2_SEQ_LM';
  if (task !== undefined && !generates) return task;
  const supported = Object.keys(TASK_TYPES).join(', ');
  throw new PromptError(
    'unsupported_adapter',
    `${source}: task_type is ${task_type ?? 'not set'}; importable are ${supported}${generates ? '' : ', or give the task'}`,
  );
}

/** The head of an adapter that we wrote, which no model class could hold. */
function headBeside(
  source: string,
  tensors: ReadonlyMap<string, Tensor>,
  pooling: Prompt['pooling'],
  left: ReadonlyMap<string, Tensor>,
): Head {
  const get = (name: string): Tensor => {
    const found = tensors.get(name);
    if (found !== undefined) return found;
    throw new PromptError('bad_adapter', `${source} has no tensor "${name}"`);
  };
  if (left.size > 0) {
    throw new PromptError(
      'bad_adapter',
      `the adapter has a head in ${source} and others: ${[...left.keys()].join(', ')}`,
    );
  }
  const dense = tensors.has('head.dense.weight')
    ? { denseWeight: get('head.dense.weight'), denseBias: get('head.dense.bias') }
    : {};
  return { ...dense, headWeight: get('head.weight'), headBias: get('head.bias'), pooling };
}

/** A dense layer that is the checkpoint's own pooler need not be carried along. */
function asPooler(head: Head, backbone: PeftBackbone): Head {
  const { denseWeight, denseBias, ...linear } = head;
  const pooler = denseWeight && backbone.pooler();
  if (!pooler || !denseBias) return head;
  const [rows, columns] = denseWeight.shape as [number, number];
  if (pooler.weight.data.length !== denseWeight.data.length) return head;
  const same =
    pooler.bias.data.every((value, i) => value === denseBias.data[i]) &&
    pooler.weight.data.every(
      (value, i) => value === denseWeight.data[(i % rows) * columns + Math.floor(i / rows)],
    );
  if (!same) return head;
  return { ...linear, pooling: head.pooling === 'virtual' ? 'virtual-pooler' : 'pooler' };
}

function labelsFor(
  files: PeftFiles,
  named: (name: string) => string,
  task: TaskName,
  classes: number,
  given: readonly string[] | undefined,
): readonly string[] {
  const labels =
    given ??
    (files[EXTRAS_FILE] &&
      labelsOf(
        decodeExtras(files[EXTRAS_FILE], named(EXTRAS_FILE)).id2label,
        named(EXTRAS_FILE),
      )) ??
    (files[MODEL_CONFIG] && labelsOfModel(files[MODEL_CONFIG], named(MODEL_CONFIG))) ??
    (task === 'question-answering' ? ['start', 'end'] : undefined);
  if (labels === undefined) {
    throw new PromptError(
      'bad_adapter',
      `an adapter does not hold its labels: give ${classes} in the order of their indices, or put the id2label of the model's config.json beside it, in ${MODEL_CONFIG}`,
    );
  }
  if (labels.length === classes) return labels;
  throw new PromptError(
    'bad_adapter',
    `${labels.length} labels are given (${labels.slice(0, 5).join(', ')}${labels.length > 5 ? ', ...' : ''}), the head has ${classes} classes`,
  );
}

function notesOf(config: AdapterConfig, backbone: PeftBackbone, ours: boolean): string[] {
  const base = config.base_model_name_or_path;
  if (ours || !base) return [];
  const last = base.replace(/\/+$/, '').split(/[/\\]/).at(-1)!.toLowerCase();
  return last === backbone.name.toLowerCase()
    ? []
    : [
        `the adapter names ${base} as its model, the backbone is "${backbone.name}"; on any other than its own it gives nonsense`,
      ];
}
