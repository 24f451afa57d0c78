/** Exchange with Hugging Face PEFT: PREFIX_TUNING, PROMPT_TUNING and P_TUNING adapter folders. */
export { type OpenedBackbone, type PeftBackbone, peftBackbone } from './backbone.ts';
export { ADAPTER_CONFIG, ADAPTER_PICKLE, ADAPTER_WEIGHTS } from './config.ts';
export { type ExportedAdapter, type ExportOptions, exportPeft } from './export.ts';
export { decodeExtras, EXTRAS_FILE, HEAD_FILE, labelsOfFile, MODEL_CONFIG } from './extras.ts';
export {
  type ImportedPrompt,
  type ImportOptions,
  importPeft,
  isPeft,
  type PeftFiles,
} from './import.ts';
