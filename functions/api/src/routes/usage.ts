import { ApiError, type UsageDay } from '@polyprompt/contract';
import type { Registry, UsageRow } from '@polyprompt/registry';
import type { Handlers } from '../call.ts';
import { listOf } from '../wire.ts';

export function usageHandlers({ usage }: Pick<Registry, 'usage'>): Handlers<'listUsage'> {
  return {
    async listUsage({ caller, query }) {
      const { start: from, end: to, prompt, limit, after } = query;
      const page = { from, to, prompt, limit, after: parseId(after) };
      return listOf(await usage.query(caller.tenant, page), usageDay);
    },
  };
}

function usageDay({ day, prompt, requests, tokens, trainingTokens }: UsageRow): UsageDay {
  return {
    id: `${day}:${prompt}`,
    object: 'usage.day',
    day,
    prompt,
    requests,
    tokens,
    training_tokens: trainingTokens,
  };
}

function parseId(id: string | undefined) {
  if (id === undefined) return undefined;
  const [, day, prompt] = /^(\d{4}-\d{2}-\d{2}):(.+)$/.exec(id) ?? [];
  if (day !== undefined && prompt !== undefined) return { day, prompt };
  const message = 'after: expected the id of the last item of the page before';
  throw ApiError.unprocessable('invalid_value', message, 'after');
}
