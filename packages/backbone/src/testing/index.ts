/** @module For tests and checks: tiny backbones, and the replay of reference cases. */
export { checkFixtures, type FixtureResult } from './fixtures.ts';
export { type TinyBackboneOptions, writeTinyBackbone } from './tiny-backbone.ts';
