/** Numbers that training changes, or that stand fixed beside those. */
export interface Parameter {
  /** Input name in the graph: `prefix`, `soft_prompt`, `head_weight`, `head_bias`, `weight:...`. */
  readonly name: string;
  /** Of prompt and head with a leading axis of 1, that of the prompts that train side by side. */
  readonly shape: readonly number[];
  /** Changed in place. */
  readonly data: Float32Array;
}
