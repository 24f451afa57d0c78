export { createApp } from './app.ts';
export { type Config, ConfigError, helpText, readConfig } from './config.ts';
export type { ApiLimits, AppDeps, ServedBackbone } from './deps.ts';
export { promptLoader } from './prompt-key.ts';
