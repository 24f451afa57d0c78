/** The stages as they would be deployed: real configuration, real components, a mocked AWS. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Evaluator, type Stack } from '../../stacks/testing/evaluation.ts';
import { platformMissing } from '../../stacks/testing/platform.ts';
import { CHECKS, FUNCTION_CHECKS, SERVICE_CHECKS } from './checks.ts';

const missing = platformMissing();
const evaluator = new Evaluator();
afterAll(() => evaluator.close());

const STAGES = {
  /** As every developer gets one. */
  somebody: { ...CHECKS, ...FUNCTION_CHECKS },
  production: { ...CHECKS, ...FUNCTION_CHECKS },
  steady: { ...CHECKS, ...SERVICE_CHECKS },
};

describe.skipIf(missing)(`the stacks${missing ? ` (${missing})` : ''}`, () => {
  describe.each(Object.entries(STAGES))('of the stage "%s"', (stage, checks) => {
    let stack: Stack;
    beforeAll(async () => {
      stack = await evaluator.evaluate(stage);
    });

    it.each(Object.entries(checks))('%s', (_, check) => check(stack));

    it('gives what a first request needs', () => {
      expect(stack.outputs).toMatchObject({
        url: expect.stringMatching(/^https:/),
        bucket: 'StateBucket',
        queue: expect.stringMatching(/^https:.*JobsQueue/),
      });
    });
  });
});
