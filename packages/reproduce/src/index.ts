/** @module The papers' comparisons on a given backbone and data. See README.md. */
export { ReproduceError, type ReproduceErrorCode } from './errors.ts';
export { type Method, PAPERS, type Paper, type PaperName } from './papers.ts';
export { type Report, reportHtml } from './report.ts';
export { type Outcome, type Progress, type ReproduceOptions, reproduce } from './reproduce.ts';
