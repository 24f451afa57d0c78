/**
 * Entry of the service on Lambda, for a function URL: `lambda.handler` with the invoke mode RESPONSE_STREAM,
 * `lambda.buffered` with BUFFERED or behind an API Gateway. Settings are those of config.ts.
 */
import { pino } from 'pino';
import { bufferedHandler } from './lambda/buffered.ts';
import { loadService } from './lambda/service.ts';
import { streamingHandler } from './lambda/streaming.ts';

// The one folder that can be written to.
process.env.POLYPROMPT_HOME ||= '/tmp/polyprompt';

const logger = pino({ base: null }, pino.destination(1));

const service = loadService({ env: process.env, logger });
service.catch((err) => {
  // Lambda starts another process for the next request; this one would fail all of them.
  logger.fatal({ err }, 'the service cannot start');
  process.exit(1);
});
// Where something is told before the end, as with an extension, half a second is left.
process.once('SIGTERM', async () => {
  const { settle } = await service;
  await settle();
  process.exit(0);
});

export const handler = streamingHandler(service, logger);
export const buffered = bufferedHandler(service);

// Loading belongs in the initialisation, which has the whole machine and may run before any request; but one that
// lasts longer than ten seconds is begun anew, while a request waits for as long as the function may run.
const INITIALISATION_MS = 8_000;
await Promise.race([
  service,
  new Promise((resolve) => setTimeout(resolve, INITIALISATION_MS).unref()),
]);
