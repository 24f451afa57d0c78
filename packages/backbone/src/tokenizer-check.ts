// The native tokenizer ends the process, at the first text, if a template names a special token that
// it does not define. Found by damaging files at random; so this one thing is looked at before.

import { z } from 'zod';

const part = z.object({ SpecialToken: z.object({ id: z.string() }).optional() });
const template = z.object({
  type: z.literal('TemplateProcessing'),
  single: z.array(part),
  pair: z.array(part),
  special_tokens: z.record(z.string(), z.unknown()),
});
const sequence = z.object({ type: z.literal('Sequence'), processors: z.array(z.unknown()) });
const withProcessor = z.object({ post_processor: z.unknown() });

/**
 * Checks the post-processor of a parsed tokenizer.json; what is not a template is left to the native library.
 * @throws Error naming the token that is not defined
 */
export function checkTemplates(tokenizerJson: unknown): void {
  const parsed = withProcessor.safeParse(tokenizerJson);
  if (parsed.success) checkProcessor(parsed.data.post_processor);
}

function checkProcessor(processor: unknown): void {
  const nested = sequence.safeParse(processor);
  if (nested.success) {
    nested.data.processors.forEach(checkProcessor);
    return;
  }
  const parsed = template.safeParse(processor);
  if (!parsed.success) return;
  const { single, pair, special_tokens: defined } = parsed.data;
  for (const { SpecialToken: token } of [...single, ...pair]) {
    if (token !== undefined && !Object.hasOwn(defined, token.id)) {
      throw new Error(`its template uses "${token.id}", which its special_tokens do not define`);
    }
  }
}
