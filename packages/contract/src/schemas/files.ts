import { OFFSET_UNITS } from '@polyprompt/text';
import { z } from 'zod';
import { LIMITS } from '../limits.ts';
import { deletedOf, idOf, listOf, Order, pageQuery, Task, Timestamp } from './common.ts';

export const FileId = idOf('file').meta({ id: 'FileId' });
const Filename = z.string().min(1).max(LIMITS.filenameLength);
const UploadPurpose = z.literal('fine-tune');

export const FileObject = z
  .object({
    id: FileId,
    object: z.literal('file'),
    bytes: z.int().nonnegative(),
    created_at: Timestamp,
    filename: z.string(),
    purpose: z.enum(['fine-tune', 'fine-tune-results']),
    status: z
      .enum(['uploaded', 'processed', 'error'])
      .describe(
        'uploaded: bytes or checks outstanding; processed: ready; error: see status_details.',
      ),
    expires_at: Timestamp.optional(),
    status_details: z.string().optional(),
  })
  .meta({ id: 'File' });
export type FileObject = z.infer<typeof FileObject>;

export const FileList = listOf('FileList', FileObject);
export const FileDeleted = deletedOf('FileDeleted', 'file');

export const FileListQuery = pageQuery(LIMITS.filesPage, FileId).extend({
  order: Order,
  purpose: z.string().optional(),
});

const { min: shortest, max: longest } = LIMITS.fileExpirySeconds;

/** The fields of the multipart form besides `file`, after `nestFields`. */
export const FileCreateFields = z.object({
  purpose: UploadPurpose,
  expires_after: z
    .object({
      anchor: z.literal('created_at'),
      seconds: z.coerce.number().int().min(shortest).max(longest),
    })
    .optional(),
});

export const FileCreateForm = FileCreateFields.extend({ file: z.file() }).meta({
  id: 'FileCreateForm',
  description: `The file may have up to ${LIMITS.uploadBytes} bytes.`,
});

export const PresignRequest = z
  .strictObject({
    filename: Filename,
    purpose: UploadPurpose,
    bytes: z.int().min(1).max(LIMITS.uploadBytes),
  })
  .meta({ id: 'PresignRequest' });

export const PresignedUpload = z
  .object({
    object: z.literal('file.upload'),
    file: FileObject.describe(
      'Already has its id; it becomes processed once its bytes have arrived.',
    ),
    method: z.literal('PUT'),
    url: z.url(),
    headers: z.record(z.string(), z.string()).describe('To be sent with the PUT, unchanged.'),
    expires_at: Timestamp,
  })
  .meta({ id: 'PresignedUpload' });
export type PresignedUpload = z.infer<typeof PresignedUpload>;

/** How data is read where it says nothing itself. */
export const reading = {
  offset_unit: z
    .enum(OFFSET_UNITS)
    .optional()
    .describe('What start and end of entities in the data count; code points unless given.'),
  invalid_tags: z
    .enum(['fix', 'refuse'])
    .optional()
    .describe(
      'What becomes of tags that cannot follow each other: mended with a warning, unless given, or refused.',
    ),
};

export const ValidateRequest = z
  .strictObject({ file_id: FileId, task: Task, ...reading })
  .meta({ id: 'ValidateRequest' });
export const ValidateFields = z.object({ task: Task, ...reading });
export const ValidateForm = ValidateFields.extend({ file: z.file() }).meta({ id: 'ValidateForm' });

export const DataIssue = z
  .object({
    code: z.string(),
    severity: z
      .enum(['error', 'warning'])
      .describe('An error makes the file unusable as it is; a warning is worth a look.'),
    line: z.int().min(1).nullable().describe('From 1; null where it is the file as a whole.'),
    path: z.string().optional(),
    message: z.string(),
    excerpt: z.string().optional(),
    suggestion: z.string().optional(),
  })
  .meta({ id: 'DataIssue', description: 'One problem of a data file, by line.' });

export const ValidationReport = z
  .object({
    object: z.literal('file.validation'),
    valid: z.boolean().describe('Whether there are no errors.'),
    task: Task,
    ...reading,
    examples: z.int().nonnegative(),
    labels: z.record(z.string(), z.int().nonnegative()).describe('Examples per label.'),
    languages: z.record(z.string(), z.int().nonnegative()).describe('Examples per language.'),
    errors: z.int().nonnegative().describe('Problems that make the file unusable: all of them.'),
    warnings: z.int().nonnegative(),
    issues: z
      .array(DataIssue)
      .max(LIMITS.reportedIssues)
      .describe('The first of them by line, errors before warnings where not all fit.'),
  })
  .meta({ id: 'ValidationReport' });
export type ValidationReport = z.infer<typeof ValidationReport>;
