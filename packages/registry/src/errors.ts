/** What can go wrong here. Stable; switch on it. */
export type RegistryErrorCode =
  | 'key_not_found'
  | 'file_not_found'
  | 'job_not_found'
  | 'prompt_not_found'
  | 'version_not_found'
  | 'alias_not_found'
  /** A name, id or value that is not allowed. */
  | 'bad_value'
  /** A chosen secret that is too weak, revoked, or another's. */
  | 'bad_secret'
  /** Prompt files that are damaged, incomplete or no prompt. */
  | 'bad_archive'
  /** An upload with more bytes than allowed. */
  | 'too_large'
  /** More of something than one prompt may have. */
  | 'limit'
  /** The tenant has as many unfinished jobs as it may have. */
  | 'too_many_jobs'
  /** The bytes of the file have not arrived, or the file is known to be bad. */
  | 'file_not_ready'
  /** A job that is not finished needs the file. */
  | 'file_in_use'
  /** An alias points to the version. */
  | 'prompt_in_use'
  /** The prompt has changed since the expected revision. */
  | 'alias_conflict'
  /** The alias has pointed nowhere before. */
  | 'no_previous'
  | 'backbone_not_found'
  /** The id stands for another backbone. */
  | 'backbone_exists'
  /** What is stored of a backbone is not what its manifest says. */
  | 'backbone_damaged'
  /** The disk has no room for a backbone. */
  | 'no_space'
  | 'job_finished'
  /** The job cannot do that in its present state. */
  | 'job_state'
  /** The idempotency key was used with another request. */
  | 'idempotency_mismatch'
  /** Told to whoever sweeps: sweeps have died over this tenant. */
  | 'sweep_stuck'
  /** The worker may no longer act on the job. */
  | 'lease_lost'
  /** Reason of a worker's signal: the job is to be paused or cancelled. */
  | 'stop_wanted';

/** Every failure of this package, apart from the `StorageError`s that pass through. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly code: RegistryErrorCode;

  constructor(code: RegistryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
