/** Every limit of a dataset. What lies beyond one is reported with the value and the limit. */
export interface DatasetLimits {
  /** Size of the file after decompression, in bytes. */
  readonly fileBytes: number;
  /** One text, in UTF-16 code units; the backbone's limit in tokens is usually reached first. */
  readonly textLength: number;
  /** One context of a question, in UTF-16 code units; it is read in windows. */
  readonly contextLength: number;
  /** One label, in UTF-16 code units. */
  readonly labelLength: number;
  /** Different labels of a training file. */
  readonly labels: number;
  /** Labels with fewer examples than this are warned about. */
  readonly examplesPerLabel: number;
  /** Issues listed in a report; the counts are always complete. */
  readonly issues: number;
}

export const DATASET_LIMITS: DatasetLimits = {
  fileBytes: 512 * 1024 * 1024,
  textLength: 100_000,
  contextLength: 1_000_000,
  labelLength: 200,
  labels: 256,
  examplesPerLabel: 8,
  issues: 100,
};
