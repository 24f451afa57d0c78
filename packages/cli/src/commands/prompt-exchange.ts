/** `polyprompt prompt export` and `import`: adapters of Hugging Face PEFT. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Backbone, maxPromptLength, openBackbone } from '@polyprompt/backbone';
import {
  ADAPTER_CONFIG,
  ADAPTER_PICKLE,
  ADAPTER_WEIGHTS,
  decodeExtras,
  EXTRAS_FILE,
  exportPeft,
  HEAD_FILE,
  importPeft,
  labelsOfFile,
  MODEL_CONFIG,
  peftBackbone,
  readPrompt,
  writePrompt,
} from '@polyprompt/prompts';
import { TASK_NAMES, type TaskName } from '@polyprompt/tasks';
import { Command, Option } from 'commander';
import { findBackbone, type WantedBackbone } from '../backbones/find.ts';
import { modelFolder } from '../backbones/folders.ts';
import { CliError } from '../errors.ts';
import { count, plural } from '../format.ts';

const FORMAT = new Option('--format <format>', 'layout of the folder')
  .choices(['peft'])
  .default('peft');

export function exportCommand(): Command {
  return new Command('export')
    .description('Write a prompt as an adapter folder of Hugging Face PEFT.')
    .argument('<dir>', 'folder that "polyprompt tune" wrote')
    .requiredOption('--out <dir>', 'adapter folder to make')
    .addOption(FORMAT)
    .option('--backbone <dir or name>', 'its model (default: the one of this machine that fits)')
    .option('--base-model <name>', 'how Python finds the model (default: where it was pulled from)')
    .option('--force', 'write into a folder that has files already')
    .addHelpText(
      'after',
      `
A head that the model class of its task cannot hold exactly is written beside the adapter; README.md in the folder
says how to use it.

Examples:
  polyprompt prompt export topics --format peft --out topics-peft
  polyprompt prompt export ner --backbone xlm-roberta-base --base-model FacebookAI/xlm-roberta-base --out ner-peft`,
    )
    .action(
      async (
        dir: string,
        options: {
          readonly out: string;
          readonly backbone?: string;
          readonly baseModel?: string;
          readonly force?: boolean;
        },
      ) => {
        const { prompt } = readPrompt(dir);
        const { out, force = false } = options;
        assertFree(out, force);
        const backbone = await backboneOf(prompt, dir, options.backbone);
        const target = await peftBackbone(backbone, maxPromptLength(backbone.spec));
        const baseModel = options.baseModel ?? hubName(backbone);
        const { files, headBeside } = exportPeft(prompt, { backbone: target, baseModel });
        mkdirSync(out, { recursive: true });
        for (const [name, bytes] of Object.entries(files)) writeFileSync(join(out, name), bytes);
        if (headBeside !== undefined) {
          process.stderr.write(`the head is in ${HEAD_FILE}, beside the adapter: ${headBeside}\n`);
        }
        console.log(out);
      },
    );
}

export function importCommand(): Command {
  return new Command('import')
    .description('Make a prompt of an adapter folder of Hugging Face PEFT.')
    .argument('<dir>', `folder with ${ADAPTER_CONFIG} and ${ADAPTER_WEIGHTS}`)
    .requiredOption('--out <dir>', 'prompt folder to make')
    .option(
      '--backbone <dir or name>',
      'the model that it was trained on (default: the one of this machine that the adapter names)',
    )
    .addOption(FORMAT)
    .addOption(new Option('--task <task>', 'where the adapter does not say it').choices(TASK_NAMES))
    .option(
      '--labels <labels or file>',
      'in the order of their indices: a,b,c, or a JSON list or config.json (default: files beside the adapter)',
    )
    .option('--force', 'replace a prompt in --out')
    .addHelpText(
      'after',
      `
Examples:
  polyprompt prompt import adapter --format peft --backbone xlm-roberta-base --labels neg,pos --out sentiment
  polyprompt prompt import adapter --backbone ~/models/bert --labels ~/models/tagger/config.json --out tagger`,
    )
    .action(
      async (
        dir: string,
        options: {
          readonly out: string;
          readonly backbone?: string;
          readonly task?: TaskName;
          readonly labels?: string;
          readonly force?: boolean;
        },
      ) => {
        const { out, task, labels, force = false } = options;
        assertFree(out, force);
        const files = adapterFiles(dir);
        const backbone = await backboneOf(backboneOfAdapter(files, dir), dir, options.backbone);
        const { prompt, details, notes } = importPeft(files, {
          source: dir,
          backbone: await peftBackbone(backbone, maxPromptLength(backbone.spec)),
          task,
          labels: labels === undefined ? undefined : labelsOf(labels),
        });
        const { parameters, length } = writePrompt(out, prompt, details);
        for (const note of notes) process.stderr.write(`note: ${note}\n`);
        process.stderr.write(
          `${prompt.task}, ${plural(prompt.labels.length, 'label')}, ${plural(length, 'virtual token')}, ${count(parameters)} values\n`,
        );
        console.log(out);
      },
    );
}

function adapterFiles(dir: string): Record<string, Uint8Array> {
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) {
    throw new CliError('no_such_file', `${dir} is not a folder; give the adapter's folder`);
  }
  const names = [
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    ADAPTER_PICKLE,
    EXTRAS_FILE,
    HEAD_FILE,
    MODEL_CONFIG,
  ];
  const present = names.filter((name) => existsSync(join(dir, name)));
  // Only that a pickle is there matters; it is not even read.
  return Object.fromEntries(
    present.map((name) => [
      name,
      name === ADAPTER_PICKLE ? new Uint8Array() : readFileSync(join(dir, name)),
    ]),
  );
}

function labelsOf(text: string): string[] {
  if (existsSync(text)) return labelsOfFile(readFileSync(text), text);
  return text.split(',').map((label) => label.trim());
}

/** @param dir the folder that says what it was trained on */
async function backboneOf(
  wanted: WantedBackbone | undefined,
  dir: string,
  given: string | undefined,
): Promise<Backbone> {
  if (given !== undefined) return openBackbone(modelFolder(given));
  if (wanted !== undefined) return findBackbone(dir, wanted);
  throw new CliError(
    'backbone_needed',
    `${dir} does not say which model it was trained on (it has no ${EXTRAS_FILE}); give its folder with --backbone DIR`,
  );
}

/** What an adapter that was exported by polyprompt says of its model. */
function backboneOfAdapter(files: Readonly<Record<string, Uint8Array>>, dir: string) {
  const bytes = files[EXTRAS_FILE];
  if (bytes === undefined) return undefined;
  const { name, fingerprint } = decodeExtras(bytes, join(dir, EXTRAS_FILE)).backbone;
  return { backboneName: name, backbone: fingerprint };
}

/** The name on the hub of a model that was pulled. */
function hubName({ dir }: Backbone): string | undefined {
  const path = join(dir, 'hub.json');
  if (!existsSync(path)) return undefined;
  const { repo } = JSON.parse(readFileSync(path, 'utf8')) as { readonly repo?: unknown };
  return typeof repo === 'string' ? repo : undefined;
}

function assertFree(out: string, force: boolean): void {
  if (force || !existsSync(out)) return;
  if (statSync(out).isDirectory() && readdirSync(out).length === 0) return;
  throw new CliError('file_exists', `${out} exists already; choose another --out, or --force`);
}
