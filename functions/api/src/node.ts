/** Entry of the service under Node: `npm start`. Settings are in config.ts. */
import { mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join, resolve } from 'node:path';

const args = process.argv.slice(2);
if (args.length === 0) keepCompiledCode();
const { run } = await import('./node/main.ts');
await run(args);

/** Half of a start is compiling; threads and child processes find the variable. Nothing is lost without it. */
function keepCompiledCode(): void {
  const home = resolve(process.env.POLYPROMPT_HOME || '.polyprompt');
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    process.env.NODE_COMPILE_CACHE ??= join(home, 'compiled');
    enableCompileCache();
  } catch {
    // A folder that cannot be written is reported by who needs it.
  }
}
