/** The papers' comparisons on a given backbone and data (docs/results.md). */
export {};
