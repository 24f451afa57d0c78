/**
 * npm run bench:scale [-- BACKBONE]: internet scale in two minutes and without a network. 1,000,000 prompts of 10,000 tenants
 * are asked by a Zipf law through the real prompt cache and the real cache of keys and aliases, one of each per
 * container, on a clock that the bench sets. It counts what a store would be asked; docs/scale.md says what that means.
 *
 * Routing is the question: any container for any request, or all requests of a tenant to one container.
 */
import type { Clock } from '@polyprompt/clock';
import type { Document, Documents } from '@polyprompt/storage';
import { FreshCache } from '../packages/registry/src/fresh-cache.ts';
import { PromptCache } from '../packages/serving/src/prompt-cache.ts';

const PROMPTS = 1_000_000;
const TENANTS = 10_000;
const PER_SECOND = 5000;
const WARM_UP = Number(process.env.WARM_UP ?? 300_000);
const REQUESTS = Number(process.env.REQUESTS ?? 100_000);
const USAGE_SECONDS = Number(process.env.USAGE_SECONDS ?? 5);
const MIB = 1024 ** 2;
const PREFIX = 16;
const CLASSES = 7;

interface Setup {
  readonly name: string;
  readonly layers: number;
  readonly hidden: number;
  readonly containers: number;
  readonly cacheBytes: number;
}

const SETUPS: readonly Setup[] = [
  { name: 'polyprompt-mini', layers: 6, hidden: 256, containers: 32, cacheBytes: 512 * MIB },
  { name: 'XLM-R base', layers: 12, hidden: 768, containers: 8, cacheBytes: 8192 * MIB },
];

/** Of the prefix and the head, as float32. */
const bytesOf = ({ layers, hidden }: Setup) =>
  4 * (layers * 2 * PREFIX * hidden + hidden * CLASSES + CLASSES);

/** Draws ranks from 0 on with a probability that falls with the power `s` of the rank. */
function zipf(s: number): (random: number) => number {
  const upTo = new Float64Array(PROMPTS);
  let sum = 0;
  for (let rank = 0; rank < PROMPTS; rank++) {
    sum += (rank + 1) ** -s;
    upTo[rank] = sum;
  }
  return (random) => {
    const wanted = random * sum;
    let low = 0;
    let high = PROMPTS - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (upTo[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** Numerical Recipes' generator: the same requests in every run. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Spreads neighbours: which tenant owns a rank, which container a tenant. */
const spread = (value: number, among: number) =>
  ((Math.imul(value, 2_654_435_761) >>> 0) / 2 ** 32) * among;

class Container {
  readonly prompts: PromptCache<number, { bytes: number }>;
  readonly documents: FreshCache<string>;
  /** Documents that were asked for, or asked for again. */
  reads = 0;
  usageWrites = 0;
  requests = 0;
  readonly #active = new Set<number>();
  #flushed = 0;

  constructor(setup: Setup, clock: Clock) {
    const bytes = bytesOf(setup);
    this.prompts = new PromptCache({
      load: async () => bytes,
      place: (size) => ({ bytes: size }),
      dispose: () => undefined,
      maxBytes: setup.cacheBytes,
      loadMs: 30_000,
      clock,
    });
    const answer = async (key: string) => {
      this.reads++;
      return { key, value: key, etag: '"1"', revision: 1 } as Document<string>;
    };
    const stub = {
      read: answer,
      refresh: ({ key }: Document<string>) => answer(key),
    } as unknown as Documents<string>;
    this.documents = new FreshCache(stub, clock);
  }

  async ask(rank: number, tenant: number, now: number): Promise<void> {
    this.requests++;
    await this.documents.read(`keys/${tenant}`);
    await this.documents.read(`tenants/${tenant}/prompts/${rank}`);
    (await this.prompts.acquire(String(rank))).release();
    this.#active.add(tenant);
    if (now - this.#flushed < USAGE_SECONDS * 1000) return;
    this.usageWrites += this.#active.size;
    this.#active.clear();
    this.#flushed = now;
  }

  reset(): void {
    this.reads = 0;
    this.usageWrites = 0;
    this.requests = 0;
  }
}

type Routing = 'any' | 'by tenant';

async function simulate(setup: Setup, draw: (random: number) => number, routing: Routing) {
  let now = 0;
  const clock: Clock = { now: () => now, after: () => () => undefined };
  const containers = Array.from({ length: setup.containers }, () => new Container(setup, clock));
  const random = generator(7);
  const before = { hits: 0, misses: 0 };
  for (let i = 0; i < WARM_UP + REQUESTS; i++) {
    if (i === WARM_UP) {
      for (const each of containers) each.reset();
      Object.assign(before, totals(containers));
    }
    now = (i * 1000) / PER_SECOND;
    const rank = draw(random());
    const tenant = Math.floor(spread(rank + 1, TENANTS));
    const at =
      routing === 'any' ? random() * setup.containers : spread(tenant + 1, setup.containers);
    await containers[Math.floor(at)]!.ask(rank, tenant, now);
  }
  const { hits, misses } = totals(containers);
  const seconds = REQUESTS / PER_SECOND;
  const sum = (of: (each: Container) => number) =>
    containers.reduce((all, each) => all + of(each), 0);
  return {
    hitRate: (hits - before.hits) / (hits - before.hits + misses - before.misses),
    promptReads: (misses - before.misses) / seconds,
    documentReads: sum(({ reads }) => reads) / seconds,
    usageWrites: sum(({ usageWrites }) => usageWrites) / seconds,
    busiest:
      (Math.max(...containers.map(({ requests }) => requests)) * setup.containers) / REQUESTS,
  };
}

function totals(containers: readonly Container[]) {
  const stats = containers.map(({ prompts }) => prompts.stats());
  const sum = (of: (each: (typeof stats)[number]) => number) =>
    stats.reduce((all, each) => all + of(each), 0);
  return { hits: sum(({ hits }) => hits), misses: sum(({ misses }) => misses) };
}

const laws = [0.8, 1, 1.2].map((s) => ({ s, draw: zipf(s) }));
const count = (value: number) => Math.round(value).toLocaleString('en').padStart(9);
console.log(
  `${PROMPTS.toLocaleString('en')} prompts, ${TENANTS.toLocaleString('en')} tenants, ${PER_SECOND.toLocaleString('en')} requests/s; usage written every ${USAGE_SECONDS} s; per second:`,
);
for (const setup of SETUPS) {
  if (!setup.name.includes(process.argv[2] ?? '')) continue;
  const held = Math.floor(setup.cacheBytes / bytesOf(setup));
  console.log(
    `\n${setup.name}: ${setup.containers} containers, ${(bytesOf(setup) / MIB).toFixed(2)} MiB a prompt, ${held.toLocaleString('en')} in the cache of each`,
  );
  console.log(
    '  zipf  routing    cache hits  prompt reads  key and alias reads  usage writes  busiest/mean',
  );
  for (const { s, draw } of laws) {
    for (const routing of ['any', 'by tenant'] as const) {
      const result = await simulate(setup, draw, routing);
      console.log(
        `  ${s.toFixed(1)}   ${routing.padEnd(9)} ${`${(100 * result.hitRate).toFixed(1)} %`.padStart(11)} ${count(result.promptReads).padStart(13)} ${count(result.documentReads).padStart(20)} ${count(result.usageWrites).padStart(13)} ${result.busiest.toFixed(1).padStart(13)}`,
      );
    }
  }
}
