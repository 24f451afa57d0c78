/** What importing and exporting must know of a backbone; the backbone package's opened folder has it all. */
import { readFloat32, type TensorEntry } from '@polyprompt/safetensors';
import type { BackboneIdentity } from '../backbone.ts';
import type { Tensor } from '../prompt.ts';

export interface PeftBackbone extends BackboneIdentity {
  readonly family: 'roberta' | 'bert' | 'xglm';
  readonly layers: number;
  readonly heads: number;
  readonly hidden: number;
  /** Virtual tokens that fit. */
  readonly maxLength: number;
  readonly hasPooler: boolean;
  /** The checkpoint's own pooler as linear layer `[out, in]`, where it has one. */
  pooler(): { readonly weight: Tensor; readonly bias: Tensor } | undefined;
}

/** The shape of an opened backbone, as far as it is needed here. */
export interface OpenedBackbone {
  readonly name: string;
  readonly spec: Pick<PeftBackbone, 'family' | 'layers' | 'heads' | 'hidden'>;
  readonly checkpoint: {
    readonly hasPooler: boolean;
    readonly tensors: {
      get(
        name: 'pooler.weight' | 'pooler.bias',
      ): (TensorEntry & { readonly file: string }) | undefined;
    };
  };
  fingerprint(): Promise<string>;
}

export async function peftBackbone(
  backbone: OpenedBackbone,
  maxLength: number,
): Promise<PeftBackbone> {
  const { name, spec, checkpoint } = backbone;
  const { family, layers, heads, hidden } = spec;
  const read = (part: 'pooler.weight' | 'pooler.bias'): Tensor => {
    const ref = checkpoint.tensors.get(part)!;
    return { shape: ref.shape, data: readFloat32(ref.file, ref) };
  };
  return {
    name,
    fingerprint: await backbone.fingerprint(),
    family,
    layers,
    heads,
    hidden,
    maxLength,
    hasPooler: checkpoint.hasPooler,
    pooler: () =>
      checkpoint.hasPooler
        ? { weight: read('pooler.weight'), bias: read('pooler.bias') }
        : undefined,
  };
}
