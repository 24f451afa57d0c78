export type {
  ErrorCode,
  ErrorFamily,
  ErrorStatus,
  RenderedError,
} from './errors.ts';
export { ApiError, ERRORS, HuggingFaceError, OpenAiError, renderError } from './errors.ts';
export { LIMITS } from './limits.ts';
export { AliasName, isAlias, isName, NAME_RULE, Name, Version, VersionParam } from './names.ts';
export { openApiDocument } from './openapi.ts';
export type { PromptId, PromptRef, PromptTarget } from './prompt-ref.ts';
export { DEFAULT_ALIAS, formatPromptId, formatPromptRef, parsePromptRef } from './prompt-ref.ts';
export type {
  RequestBody,
  RequestHeader,
  ResponseHeader,
  Route,
  SuccessBody,
  Tag,
} from './route.ts';
export { errorsOf, REQUEST_HEADERS, RESPONSE_HEADERS, TAGS } from './route.ts';
export type { OperationId } from './routes.ts';
export { eachRoute, routes } from './routes.ts';
export { Metadata, TASKS, Task } from './schemas/common.ts';
export * from './schemas/files.ts';
export * from './schemas/inference.ts';
export * from './schemas/jobs.ts';
export * from './schemas/keys.ts';
export * from './schemas/models.ts';
export * from './schemas/prompts.ts';
export * from './schemas/system.ts';
export * from './schemas/usage.ts';
export { nestFields, validate, validateJson } from './validate.ts';
