/** What can be wrong with a safetensors file, a tensor or a request for one. Stable; switch on it. */
export type SafetensorsErrorCode =
  | 'not_safetensors'
  | 'truncated'
  | 'trailing_bytes'
  | 'bad_header'
  | 'overlapping_tensors'
  | 'unknown_dtype'
  | 'size_mismatch'
  | 'tensor_missing'
  | 'unsupported_conversion'
  | 'bad_tensor';

/** The only error type this package throws, apart from the file system's own (`ENOENT`, ...). */
export class SafetensorsError extends Error {
  override readonly name = 'SafetensorsError';
  readonly code: SafetensorsErrorCode;

  constructor(code: SafetensorsErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
