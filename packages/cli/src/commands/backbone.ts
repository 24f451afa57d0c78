/** `polyprompt backbone show`: what is in a model folder. */
import { statSync } from 'node:fs';
import { maxPromptLength, openBackbone, usableTokens } from '@polyprompt/backbone';
import { Command } from 'commander';
import { bytes, count, millions } from '../format.ts';
import { facts } from '../table.ts';

export function backboneCommand(): Command {
  const show = new Command('show')
    .description('Check a model folder and say what is in it.')
    .argument('<dir>', 'folder with config.json, model.safetensors and tokenizer.json')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Examples:
  polyprompt backbone show models/polyprompt-mini
  polyprompt backbone show ~/models/xlm-roberta-base --json`,
    )
    .action(async (dir: string, { json }: { readonly json?: boolean }) => {
      const about = await describe(dir);
      console.log(json ? JSON.stringify(about, null, 2) : asText(about));
    });
  return new Command('backbone').description('Look at model folders.').addCommand(show);
}

async function describe(dir: string) {
  const backbone = openBackbone(dir);
  const { spec, checkpoint } = backbone;
  return {
    name: backbone.name,
    dir: backbone.dir,
    model_type: spec.modelType,
    layers: spec.layers,
    hidden: spec.hidden,
    heads: spec.heads,
    intermediate: spec.intermediate,
    parameters: backbone.parameters,
    dtypes: [...new Set([...checkpoint.tensors.values()].map(({ dtype }) => dtype))],
    files: checkpoint.files.map(({ name, path }) => ({ name, bytes: statSync(path).size })),
    tokenizer_size: backbone.tokenizer().vocabSize,
    vocabulary: spec.vocabSize,
    usable_tokens: usableTokens(spec, 0),
    max_prompt_length: maxPromptLength(spec),
    pooler: checkpoint.hasPooler,
    lm_head: checkpoint.hasLmHead,
    fingerprint: await backbone.fingerprint(),
  };
}

function asText(about: Awaited<ReturnType<typeof describe>>): string {
  const yesOrNo = (value: boolean) => (value ? 'yes' : 'no');
  return facts([
    ['name', about.name],
    ['folder', about.dir],
    ['model type', about.model_type],
    [
      'shape',
      `${about.layers} layers of ${about.hidden}, ${about.heads} heads, ${about.intermediate} inside`,
    ],
    ['parameters', `${count(about.parameters)} (${millions(about.parameters)})`],
    ['dtype', about.dtypes.join(', ')],
    ['weights', about.files.map((file) => `${file.name} (${bytes(file.bytes)})`).join(', ')],
    ['tokenizer', `${count(about.tokenizer_size)} tokens (table of ${count(about.vocabulary)})`],
    [
      'usable tokens',
      `${count(about.usable_tokens)}, prompt included (prompts of up to ${count(about.max_prompt_length)})`,
    ],
    ['pooler', yesOrNo(about.pooler)],
    ['LM head', yesOrNo(about.lm_head)],
    ['fingerprint', about.fingerprint],
  ]);
}
