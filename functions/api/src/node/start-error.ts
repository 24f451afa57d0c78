/** Why the service cannot start, for the person who starts it: a message without a stack. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly code = 'cannot_start';
}
