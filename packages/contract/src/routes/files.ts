// Data files.

import { z } from 'zod';
import { LIMITS } from '../limits.ts';
import type { Route } from '../route.ts';
import * as files from '../schemas/files.ts';
import { json } from './shared.ts';

const FileParams = z.object({ file_id: files.FileId });

export const fileRoutes = {
  createFile: {
    method: 'POST',
    path: '/v1/files',
    tag: 'Files',
    summary: 'Upload a data file',
    description:
      'Streamed to the store. Where the host allows smaller bodies only, use /v1/files/presign.',
    scope: 'tune',
    family: 'openai',
    body: { form: files.FileCreateForm, maxBytes: LIMITS.uploadBytes },
    response: { json: files.FileObject },
  },
  listFiles: {
    method: 'GET',
    path: '/v1/files',
    tag: 'Files',
    summary: 'List files',
    scope: 'tune',
    family: 'openai',
    query: files.FileListQuery,
    response: { json: files.FileList },
  },
  presignFile: {
    method: 'POST',
    path: '/v1/files/presign',
    tag: 'Files',
    summary: 'Get a URL to upload a file to directly',
    scope: 'tune',
    family: 'openai',
    body: json(files.PresignRequest),
    response: { json: files.PresignedUpload },
  },
  validateFile: {
    method: 'POST',
    path: '/v1/files/validate',
    tag: 'Files',
    summary: 'Check data for a task without training',
    description:
      'Either a file that is already here, as JSON, or the data itself, as a form; it is not kept.',
    scope: 'tune',
    family: 'openai',
    body: { json: files.ValidateRequest, form: files.ValidateForm, maxBytes: LIMITS.uploadBytes },
    response: { json: files.ValidationReport },
    errors: ['file.not_found'],
  },
  retrieveFile: {
    method: 'GET',
    path: '/v1/files/{file_id}',
    tag: 'Files',
    summary: 'Get a file object',
    scope: 'tune',
    family: 'openai',
    params: FileParams,
    response: { json: files.FileObject },
    errors: ['file.not_found'],
  },
  deleteFile: {
    method: 'DELETE',
    path: '/v1/files/{file_id}',
    tag: 'Files',
    summary: 'Delete a file',
    scope: 'tune',
    family: 'openai',
    params: FileParams,
    response: { json: files.FileDeleted },
    errors: ['file.not_found', 'file.in_use'],
  },
  downloadFile: {
    method: 'GET',
    path: '/v1/files/{file_id}/content',
    tag: 'Files',
    summary: 'Get the bytes of a file',
    scope: 'tune',
    family: 'openai',
    params: FileParams,
    response: { other: ['application/octet-stream'] },
    errors: ['file.not_found'],
  },
} as const satisfies Record<string, Route>;
