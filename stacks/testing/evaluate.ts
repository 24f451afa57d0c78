/**
 * Runs the real sst.config.ts with SST's real components against Pulumi's mocked engine, and gives every
 * resource that they register. No network, no account, no Pulumi.
 *
 *     npx node stacks/testing/evaluate.ts STAGE     prints them as JSON
 *
 * As a child process (evaluation.ts) it answers one request after the other, since loading Pulumi takes
 * longer than using it. Its runtime is process-wide, so a program that fails spoils the process.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Plugin } from 'esbuild';
import type { App, Evaluation, Mutation, Resource } from './evaluation.ts';
import { ACCOUNT, answer, create, REGION } from './mock-aws.ts';

const ROOT = join(import.meta.dirname, '../..');
const PLATFORM = join(ROOT, '.sst/platform');
/** The packages that SST's components use, Pulumi above all: there must be one of it. */
const require = createRequire(join(PLATFORM, 'package.json'));

interface Pulumi {
  readonly runtime: {
    setMocks(
      mocks: object,
      project: string,
      stack: string,
      preview: boolean,
      organization: string,
    ): unknown;
    runInPulumiStack(program: () => Promise<object>): Promise<Record<string, unknown>>;
    disconnect(): Promise<void>;
  };
  readonly Output: { isInstance(value: unknown): value is { promise(): Promise<unknown> } };
}

interface Program {
  app(input: { stage: string }): Promise<Omit<App, 'stage'>>;
  run(): Promise<object>;
}

async function evaluate(stage: string, mutation: Mutation | undefined): Promise<Evaluation> {
  // Inside of the platform, so that the bundle finds the packages there.
  const work = mkdtempSync(join(PLATFORM, 'mock-'));
  try {
    return await evaluateIn(work, stage, mutation);
  } finally {
    // The program has made its project the current folder.
    process.chdir(ROOT);
    rmSync(work, { recursive: true, force: true });
  }
}

async function evaluateIn(work: string, stage: string, mutation: Mutation | undefined) {
  const server = await startCli(work);
  process.env.SST_SERVER = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  process.env.SST_SECRET_AdminKey = 'key-of-the-tests';
  const pulumi: Pulumi = require('@pulumi/pulumi');
  const { program, app } = await load(work, stage, mutation);
  const resources: Resource[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource(args: Omit<Resource, 'id'>) {
        const made = create(args);
        const inputs = unwrapped(args.inputs);
        resources.push({ type: args.type, name: args.name, id: made.id, inputs });
        return made;
      },
      call: answer,
    },
    app.name,
    stage,
    false,
    'organization',
  );
  const outputs: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(await pulumi.runtime.runInPulumiStack(program.run)))
    outputs[name] = pulumi.Output.isInstance(value) ? await value.promise() : value;
  // Waits for what is still being registered.
  await pulumi.runtime.disconnect();
  // What the answers to that set off may still fail.
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  server.close();
  return { app, resources, outputs };
}

/** Key of the objects that hold a secret on its way to the engine, and what says so. */
const SIGNATURE = '4dabf18193072939515e22adb298388d';
const SECRET = '1b47061264138c4ac30d75fd1eb44270';

/** With secrets as they are. */
function unwrapped(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unwrapped);
  if (typeof value !== 'object' || value === null) return value;
  const object = value as Readonly<Record<string, unknown>>;
  if (object[SIGNATURE] === SECRET) return unwrapped(object.value);
  return Object.fromEntries(Object.entries(object).map(([key, inner]) => [key, unwrapped(inner)]));
}

/** One bundle: SST's globals, then the configuration. */
async function load(work: string, stage: string, mutation: Mutation | undefined) {
  const project = join(work, 'project');
  // What a deployment needs to have been built, as far as the program looks at it.
  const native = 'dist/api/node_modules/onnxruntime-node/bin/napi-v6/linux/x64';
  for (const made of [
    native,
    'dist/api/models/polyprompt-mini',
    'models/polyprompt-mini',
    'models/other',
  ])
    mkdirSync(join(project, made), { recursive: true });
  writeFileSync(join(project, 'dist/api/lambda.mjs'), '');
  const app = { name: '', removal: 'remove', protect: false, stage } as App;
  const paths = { home: work, root: project, work, platform: PLATFORM };
  Object.assign(globalThis, {
    $app: app,
    $dev: false,
    $cli: { command: 'deploy', paths, state: { version: {} } },
  });
  const providers = JSON.parse(
    readFileSync(join(ROOT, '.sst/provider-lock.json'), 'utf8'),
  ) as readonly { alias: string; package: string }[];
  const source = (path: string) => JSON.stringify(join(PLATFORM, 'src', path));
  const outfile = join(work, 'program.mjs');
  const { build } = require('esbuild') as typeof import('esbuild');
  await build({
    stdin: {
      resolveDir: ROOT,
      loader: 'ts',
      contents: `
        ${providers.map((each) => `import * as ${each.alias} from '${each.package}';`).join('\n')}
        import * as sst from ${source('components/index.ts')};
        import * as shim from ${source('shim/run.js')};
        import { run as runProgram } from ${source('auto/run.ts')};
        Object.assign(globalThis, shim, { sst, ${providers.map((each) => each.alias).join(', ')} });
        const config = () => import('./sst.config.ts').then((module) => module.default);
        export const app = async (input) => (await config()).app(input);
        export const run = async () => runProgram((await config()).run);`,
    },
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'silent',
    outfile,
    plugins: mutation === undefined ? [] : [mutating(mutation)],
  });
  const program = (await import(pathToFileURL(outfile).href)) as Program;
  Object.assign(app, await program.app({ stage }), { stage });
  return { app, program };
}

/** @throws when the text is not there exactly once: a mutation of nothing proves nothing */
function mutating({ file, from, to }: Mutation): Plugin {
  return {
    name: 'mutation',
    setup(build) {
      build.onLoad({ filter: new RegExp(`/stacks/${file.replace('.', '\\.')}$`) }, ({ path }) => {
        const parts = readFileSync(path, 'utf8').split(from);
        if (parts.length !== 2) {
          throw new Error(`${file} has ${parts.length - 1} times ${JSON.stringify(from)}`);
        }
        return { contents: parts.join(to), loader: 'ts' };
      });
    },
  };
}

/** SST's command line, as far as its components ask it anything. */
async function startCli(work: string) {
  const methods: Record<string, (input: { functionID: string; handler: string }) => unknown> = {
    'Provider.Aws.Bootstrap': () => ({
      asset: 'sst-asset',
      assetEcrRegistryId: ACCOUNT,
      assetEcrUrl: `${ACCOUNT}.dkr.ecr.${REGION}.amazonaws.com/sst-asset`,
      state: 'sst-state',
    }),
    // What is built is tested elsewhere: an empty file stands for it.
    'Runtime.Build': ({ functionID, handler }) => {
      const out = join(work, 'bundles', functionID);
      mkdirSync(out, { recursive: true });
      writeFileSync(join(out, 'index.mjs'), '');
      return { handler, out, errors: [], sourcemaps: [] };
    },
  };
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const { method, params } = JSON.parse(Buffer.concat(pieces).toString('utf8'));
    const found = methods[method];
    response.end(
      JSON.stringify(found ? { result: found(params[0]) } : { error: `${method} is not mocked` }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

if (process.send === undefined) {
  // What apply() throws comes as an unhandled rejection, which ends the process.
  process.stdout.write(JSON.stringify(await evaluate(process.argv[2] ?? 'somebody', undefined)));
} else {
  const fail = (error: unknown) => {
    // One failure may bring others.
    if (!process.connected) return;
    process.send!({ error: error instanceof Error ? error.message : String(error) });
    process.disconnect();
  };
  process.on('unhandledRejection', fail);
  process.on('message', ({ stage, mutation }: { stage: string; mutation?: Mutation }) => {
    evaluate(stage, mutation).then((evaluation) => process.send!({ evaluation }), fail);
  });
}
