/** @module What the command is made of, for other front ends. See README.md. */
export { type LoadedPrompt, type LoadOptions, loadPrompt } from './loaded-prompt.ts';
export { type Progress, showProgress } from './progress.ts';
export { run } from './run.ts';
export { table } from './table.ts';
