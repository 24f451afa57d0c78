/** @module The papers' comparisons on a given backbone and data. See README.md. */
export { findData } from './data.ts';
export { ReproduceError, type ReproduceErrorCode } from './errors.ts';
export { type Method, PAPERS, type Paper, type PaperName } from './papers.ts';
export { type Report, reportHtml } from './report.ts';
export { type Outcome, type Progress, type ReproduceOptions, reproduce } from './reproduce.ts';
export { type RunRecord, type RunRequest, runOnce } from './run.ts';
export { readTest } from './score-files.ts';
