/** Runs in the folder of a bundle, away from the project: loads it as Lambda would and answers events from its parent. */
import { pathToFileURL } from 'node:url';
import { installRuntime, invoke } from './runtime.ts';

installRuntime();
const { handler } = await import(pathToFileURL(process.argv[2]!).href);
process.on('message', async (event: object) => {
  const { statusCode, headers, body } = await invoke(handler, event);
  process.send!({ statusCode, headers, text: body.toString() });
});
process.send!('loaded');
