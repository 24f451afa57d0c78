/** S3 and SQS on loopback over one SQLite file: the embedded default, and the other side of the tests. */
export type { Credentials } from './credentials.ts';
export type { Durability } from './db.ts';
export { LocalCloudError, type LocalCloudErrorCode } from './errors.ts';
export { FAULTS, type Fault, type FaultRates, Faults } from './faults.ts';
export { type LocalCloud, type LocalCloudOptions, startLocalCloud } from './server.ts';
