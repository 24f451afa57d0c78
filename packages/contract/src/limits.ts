const KIB = 1024;
const MIB = 1024 * KIB;

/** Every limit of the wire. A request beyond one is refused with an error that states it. */
export const LIMITS = {
  /** Body of an inference request, in bytes. */
  inferenceBodyBytes: 2 * MIB,
  /** Any other JSON body, in bytes. */
  jsonBodyBytes: 256 * KIB,
  /** An uploaded data file, in bytes; a host may allow less. */
  uploadBytes: 512 * MIB,
  /** An imported prompt archive, in bytes. */
  importBytes: 64 * MIB,
  /** Characters of the labels of an imported adapter, and of the name of its model. */
  labelsText: 8192,
  baseModel: 256,

  /** Texts in one inference request. */
  inputs: 128,
  /** One text, in UTF-16 code units; the backbone's limit in tokens is usually reached first. */
  textLength: 100_000,
  /** The context of a question, in UTF-16 code units; it is read in windows. */
  contextLength: 1_000_000,
  /** Words of a text that comes split into them. */
  textTokens: 50_000,
  /** Classes, and answers to a question, asked for by `top_k`. */
  topK: 1000,
  answers: 100,
  candidateLabels: 100,
  /** Labels that an answer leaves out. */
  ignoredLabels: 1000,

  /** Names of prompts, aliases, tenants and backbones, in characters. */
  nameLength: 64,
  /** A whole prompt reference, in characters. */
  referenceLength: 300,
  version: 999_999_999,
  filenameLength: 255,
  idempotencyKeyLength: 255,

  metadataPairs: 16,
  metadataKeyLength: 64,
  metadataValueLength: 512,

  suffixLength: 64,
  epochs: 50,
  batchSize: 256,
  /** Width of the network that computes a prompt. */
  reparameterisation: 8192,
  promptLength: 512,
  seed: 2_147_483_647,
  /** Languages that a job trains on. */
  languages: 1000,
  /** Combinations of settings that one job tries. */
  candidates: 64,

  /** Seconds until a file expires by itself. */
  fileExpirySeconds: { min: 3600, max: 2_592_000 },
  keyExpirySeconds: { min: 60, max: 315_360_000 },

  /** Items on one page: the largest and the one without `limit`. */
  filesPage: { max: 10_000, default: 10_000 },
  jobsPage: { max: 100, default: 20 },
  eventsPage: { max: 100, default: 20 },
  checkpointsPage: { max: 100, default: 10 },
  promptsPage: { max: 100, default: 20 },
  usagePage: { max: 1000, default: 100 },

  /** Versions that share the traffic of one alias. */
  splitVersions: 10,
  /** Problems listed in a validation report; the count is always complete. */
  reportedIssues: 100,
} as const;
