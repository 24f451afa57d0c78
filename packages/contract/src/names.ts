// Names end up in URLs, in `ft:` ids (so no colon), before `@` (so no at sign) and as parts of
// object keys (so no slash and no leading dot).

import { z } from 'zod';
import { LIMITS } from './limits.ts';

export const NAME_RULE = `1 to ${LIMITS.nameLength} characters: lower-case letters, digits, "-", "_" and ".", beginning with a letter or digit`;
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** What every name must look like. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** An alias is a name, but not digits alone: `topics@7` is version 7. */
export function isAlias(text: string): boolean {
  return isName(text) && !/^\d+$/.test(text);
}

export const Name = z
  .string()
  .regex(NAME, `must be ${NAME_RULE}`)
  .meta({ id: 'Name', description: `${NAME_RULE}.`, examples: ['topics'] });

export const AliasName = z
  .string()
  .regex(/^(?!\d+$)[a-z0-9][a-z0-9._-]{0,63}$/, `must be ${NAME_RULE}, and not digits alone`)
  .meta({
    id: 'AliasName',
    description: `${NAME_RULE}, and not digits alone.`,
    examples: ['production'],
  });

export const Version = z
  .int()
  .min(1)
  .max(LIMITS.version)
  .meta({ id: 'Version', description: 'Number of a version, counted from 1 per prompt.' });

/** A version in a URL, where everything is text. */
export const VersionParam = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, `must be a version number from 1 to ${LIMITS.version}`)
  .transform(Number);
