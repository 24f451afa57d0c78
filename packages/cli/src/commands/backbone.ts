/** `polyprompt backbone`: model folders of this machine, of the hub and of a bucket. */
import { join } from 'node:path';
import { type Backbone, hashFiles, openBackbone } from '@polyprompt/backbone';
import { isName, NAME_RULE } from '@polyprompt/contract';
import { Command } from 'commander';
import { asText, describe, localRow, storedRows } from '../backbones/describe.ts';
import { listModels, modelFolder, pulledFolder } from '../backbones/folders.ts';
import { parseStorePlace, type StoreOptions, withStore } from '../backbones/store.ts';
import { CliError } from '../errors.ts';
import { bytes } from '../format.ts';
import { backboneId, parseHubId } from '../hub/hub-id.ts';
import { catchInterrupts } from '../interrupts.ts';
import { table } from '../table.ts';
import { showTransfer } from '../transfer.ts';

export function backboneCommand(): Command {
  return new Command('backbone')
    .description('Bring, check and share model folders.')
    .addCommand(pullCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(verifyCommand())
    .addCommand(pushCommand());
}

function pullCommand(): Command {
  return new Command('pull')
    .description(
      'Bring a model from the Hugging Face hub; an interrupted pull goes on where it was.',
    )
    .argument('<model>', 'OWNER/NAME, or OWNER/NAME@REVISION with a branch, tag or commit')
    .option('--out <dir>', 'model folder to make (default: backbones/NAME under POLYPROMPT_HOME)')
    .option('--quiet', 'no progress')
    .addHelpText(
      'after',
      `
Only config.json, tokenizer.json and the safetensors weights are brought, and every byte is compared with the
checksum that the hub lists. HF_ENDPOINT names another hub, HF_TOKEN a token for private and gated models.

Examples:
  polyprompt backbone pull FacebookAI/xlm-roberta-base
  polyprompt backbone pull facebook/xglm-564M@refs/pr/7 --out ~/models/xglm-564m`,
    )
    .action(async (model: string, options: { readonly out?: string; readonly quiet?: boolean }) => {
      const id = parseHubId(model);
      const out = options.out ?? join(pulledFolder(), backboneId(id.repo));
      const { pull } = await import('../hub/pull.ts');
      const backbone = await transfer(
        options,
        'what has arrived is kept, and',
        (signal, onProgress) =>
          pull(id, {
            out,
            signal,
            onProgress,
            onStart: (commit, files) => {
              const total = files.reduce((sum, file) => sum + file.bytes, 0);
              process.stderr.write(
                `${id.repo} at ${commit.slice(0, 12)}: ${bytes(total)} in ${files.length} files\n`,
              );
            },
          }),
      );
      console.log(backbone.dir);
    });
}

function listCommand(): Command {
  return withStoreOptions(
    new Command('list')
      .description('List the model folders of this machine, or the backbones of a bucket.')
      .argument('[place]', 's3://BUCKET')
      .option('--json', 'as JSON')
      .addHelpText(
        'after',
        '\nExamples:\n  polyprompt backbone list\n  polyprompt backbone list s3://my-bucket',
      ),
  ).action(
    async (place: string | undefined, options: StoreOptions & { readonly json?: boolean }) => {
      const found =
        place === undefined ? listModels().map(localRow) : await storedRows(place, options);
      if (options.json) {
        console.log(JSON.stringify(found, null, 2));
        return;
      }
      const rows = found.map(({ name, size, about }) => [name, bytes(size), about]);
      console.log(rows.length > 0 ? table(['name', 'size', ''], rows, 'lrl') : 'none');
    },
  );
}

function showCommand(): Command {
  return new Command('show')
    .description('Check a model folder and say what is in it.')
    .argument('<dir or name>', 'folder with config.json, model.safetensors and tokenizer.json')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Examples:
  polyprompt backbone show polyprompt-mini
  polyprompt backbone show ~/models/xlm-roberta-base --json`,
    )
    .action(async (dir: string, { json }: { readonly json?: boolean }) => {
      const about = await describe(openBackbone(modelFolder(dir)));
      console.log(json ? JSON.stringify(about, null, 2) : asText(about));
    });
}

function verifyCommand(): Command {
  return new Command('verify')
    .description(
      'Read every weight of model folders, try tokenizer and graph; exit code 1 if anything is wrong.',
    )
    .argument('<dir or name...>')
    .option('--fingerprint <sha256:...>', 'what the fingerprint must be')
    .option('--json', 'as JSON')
    .option('--quiet', 'no progress')
    .addHelpText(
      'after',
      '\nExamples:\n  polyprompt backbone verify polyprompt-mini\n  polyprompt backbone verify .polyprompt/backbones/*',
    )
    .action(
      async (
        dirs: readonly string[],
        options: {
          readonly fingerprint?: string;
          readonly json?: boolean;
          readonly quiet?: boolean;
        },
      ) => {
        const { verifyBackbone } = await import('../backbones/verify.ts');
        const { fingerprint } = options;
        const results = [];
        for (const dir of dirs) {
          const view = showTransfer(process.stderr, {
            quiet: options.quiet || !process.stderr.isTTY,
          });
          const { onProgress } = view;
          const given = fingerprint === undefined ? {} : { fingerprint };
          results.push(
            await verifyBackbone(modelFolder(dir), { ...given, onProgress }).finally(view.stop),
          );
        }
        if (options.json) console.log(JSON.stringify(results, null, 2));
        else
          for (const { dir, problems, fingerprint: found } of results)
            if (problems.length === 0) console.log(`${dir}: sound  ${found}`);
        const problems = results.flatMap(({ dir, problems }) =>
          problems.map((problem) => `${dir}: ${problem}`),
        );
        if (problems.length > 0) throw new CliError('bad_backbone', problems.join('\n'));
      },
    );
}

function pushCommand(): Command {
  return withStoreOptions(
    new Command('push')
      .description('Store a model folder in a bucket, where services and tuners find it by its id.')
      .argument('<dir or name>')
      .argument('<place>', 's3://BUCKET, or s3://BUCKET/backbones/ID')
      .option('--replace', 'send every file, and let the id stand for this model')
      .option('--quiet', 'no progress')
      .addHelpText(
        'after',
        `
Files that are there are not sent again, so an interrupted push can be repeated. Credentials come from where the
AWS SDK looks (AWS_ACCESS_KEY_ID, profiles, roles).

Examples:
  polyprompt backbone push xlm-roberta-base s3://my-bucket
  POLYPROMPT_ENDPOINT=http://localhost:9000 polyprompt backbone push ~/models/xglm s3://state/backbones/xglm-564m`,
      ),
  ).action(
    async (
      dir: string,
      place: string,
      options: StoreOptions & { readonly replace?: boolean; readonly quiet?: boolean },
    ) => {
      const { bucket, id } = parseStorePlace(place);
      const backbone = openBackbone(modelFolder(dir));
      backbone.tokenizer();
      const local = await localBackbone(backbone, id ?? backbone.name);
      const { replace = false } = options;
      const { manifest, uploaded } = await withStore(bucket, options, (backbones) =>
        transfer(options, 'what was sent is kept, and', (signal, onProgress) =>
          backbones.push(local, { replace, signal, onProgress }),
        ),
      );
      process.stderr.write(
        uploaded.length > 0 ? `sent ${uploaded.join(', ')}\n` : 'everything was there already\n',
      );
      console.log(`s3://${bucket}/backbones/${manifest.id}`);
    },
  );
}

function withStoreOptions(command: Command): Command {
  return command
    .option('--endpoint <url>', 'store that speaks S3 (default: $POLYPROMPT_ENDPOINT, else AWS)')
    .option('--region <name>', 'region of the bucket (default: $AWS_REGION)');
}

/** Runs what takes long, with its progress; Ctrl-C ends it in good order. */
async function transfer<T>(
  { quiet = false }: { readonly quiet?: boolean },
  kept: string,
  run: (
    signal: AbortSignal,
    onProgress: (done: number, total: number, what?: string) => void,
  ) => Promise<T>,
): Promise<T> {
  const view = showTransfer(process.stderr, { quiet });
  const interrupts = catchInterrupts(() => view.stop());
  try {
    return await run(interrupts.signal, view.onProgress);
  } catch (error) {
    if (!interrupts.signal.aborted) throw error;
    throw new CliError('interrupted', `interrupted; ${kept} the same command goes on from there`, {
      cause: error,
    });
  } finally {
    interrupts.release();
    view.stop();
  }
}

async function localBackbone(backbone: Backbone, id: string) {
  if (!isName(id)) {
    throw new CliError(
      'usage',
      `${JSON.stringify(id)} cannot be the id of a backbone: it must be ${NAME_RULE}; choose one with s3://BUCKET/backbones/ID`,
    );
  }
  const files = await hashFiles(backbone.dir, backbone.checkpoint.files);
  return { id, fingerprint: await backbone.fingerprint(), files };
}
