/** The service as a process: settings from the environment, logs to standard error, signals to its end. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { ConfigError, helpText, readConfig } from '../config.ts';
import { startService } from './service.ts';

/** As shells report a process that a signal ended. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

async function main(args: readonly string[]): Promise<void> {
  if (args.length > 0) {
    const wantsHelp = args.includes('--help') || args.includes('-h');
    (wantsHelp ? process.stdout : process.stderr).write(helpText());
    process.exitCode = wantsHelp ? 0 : 2;
    return;
  }
  const config = readConfig(process.env);
  const { version } = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'),
  );
  // People read standard output; logs go to the other one.
  const logger = pino({ level: config.logLevel, base: { pid: process.pid } }, pino.destination(2));
  const die = (error: Error) => {
    logger.fatal({ err: error }, 'the service cannot go on');
    process.exit(1);
  };
  const service = await startService(config, { logger, version, onFatal: die });
  process.stdout.write(service.greeting);
  for (const signal of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) {
    process.once(signal, async () => {
      logger.info({ signal }, 'shutting down');
      // A second signal means now.
      process.once(signal, () => process.exit(SIGNALS[signal]));
      await service.close();
      process.exit(0);
    });
  }
}

/** Ends the process with 2 for settings that cannot be, 1 for what else keeps it from starting. */
export function run(args: readonly string[]): Promise<void> {
  return main(args).catch((error: unknown) => {
    const isExpected = error instanceof Error && 'code' in error;
    process.stderr.write(`${isExpected ? error.message : (error as Error).stack}\n`);
    process.exit(error instanceof ConfigError ? 2 : 1);
  });
}
