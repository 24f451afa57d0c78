/** SQS errors. In the JSON protocol all of them are 400 and the SDK names its exceptions after the code. */
import { WireError } from '../errors.ts';

export type SqsErrorCode =
  | 'BatchEntryIdsNotDistinct'
  | 'BatchRequestTooLong'
  | 'EmptyBatchRequest'
  | 'InvalidAddress'
  | 'InvalidAttributeName'
  | 'InvalidAttributeValue'
  | 'InvalidBatchEntryId'
  | 'InvalidMessageContents'
  | 'InvalidParameterValue'
  | 'MessageNotInflight'
  | 'MissingParameter'
  | 'QueueDoesNotExist'
  | 'QueueNameExists'
  | 'ReceiptHandleIsInvalid'
  | 'SerializationException'
  | 'TooManyEntriesInBatchRequest'
  | 'UnsupportedOperation';

export function sqsError(code: SqsErrorCode, message: string): WireError {
  return new WireError(code, 400, message);
}
