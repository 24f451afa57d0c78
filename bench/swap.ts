/**
 * npm run bench:swap: what it costs to move an alias every 100 ms under load. One service process, 50
 * connections that each send the next request when the last is answered; rounds with and without moves
 * take turns. ROUNDS, SECONDS (per round) and CONNECTIONS are environment variables. On a machine that has
 * other things to do, the ratio of the service's CPU times per request is the steadiest figure.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serviceClient } from '../test/service/support/client.ts';
import { failuresOf, inferenceLoad, keepMoving } from '../test/service/support/load.ts';
import { startServiceProcess } from '../test/service/support/service-process.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 16);
const SECONDS = Number(process.env.SECONDS ?? 3);
const CONNECTIONS = Number(process.env.CONNECTIONS ?? 50);
const EVERY_MS = 100;
const KEY = 'key-of-the-bench';
const NAME = 'swapped';
const TEXT = 'Der Zug nach Wien hat zwei Stunden Verspätung.';

const folder = mkdtempSync(join(tmpdir(), 'polyprompt-swap-'));
const service = await startServiceProcess({
  POLYPROMPT_HOME: folder,
  POLYPROMPT_KEY: KEY,
  POLYPROMPT_TUNER: 'off',
  POLYPROMPT_LOG_LEVEL: 'warn',
});
try {
  await publishTwice();
  await measure();
} finally {
  await service.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** Two versions of one prompt, both copies of the one that comes with the service. */
async function publishTwice(): Promise<void> {
  const headers = { authorization: `Bearer ${KEY}` };
  const path = `${service.url}/v1/prompts/topics/versions/1/export`;
  const archive = await (await fetch(path, { headers })).arrayBuffer();
  for (const version of [1, 2]) {
    const to = `${service.url}/v1/prompts/import?name=${NAME}`;
    const response = await fetch(to, { method: 'POST', headers, body: archive });
    const made = (await response.json()) as { version?: number };
    if (made.version !== version) throw new Error(`import answered ${JSON.stringify(made)}`);
  }
}

async function measure(): Promise<void> {
  const client = serviceClient(service.url, KEY);
  const load = { url: service.url, key: KEY, ref: NAME, text: TEXT, connections: CONNECTIONS };
  const moves = { name: NAME, alias: 'production', versions: [1, 2], everyMs: EVERY_MS };
  const rounds = { still: newFigures(), moving: newFigures() };
  let failed = 0;
  let moved = 0;
  console.log(
    `${CONNECTIONS} connections, ${ROUNDS} rounds of ${SECONDS} s with and without moves`,
  );
  // The first round warms up.
  for (let round = -1; round < ROUNDS; round++) {
    // Whatever else the machine does must not favour the kind that comes first.
    const kinds = ['still', 'moving'] as const;
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
      const moving = kind === 'moving' ? keepMoving(client, moves) : undefined;
      const used = await cpuSeconds();
      const result = await inferenceLoad({ ...load, seconds: SECONDS });
      moved += (await moving?.stop()) ?? 0;
      failed += failuresOf(result);
      if (result.requests.total === 0)
        throw new Error(
          `no answer within ${SECONDS} s; more SECONDS, or a machine with less to do`,
        );
      if (round < 0) continue;
      rounds[kind].p50.push(result.latency.p50);
      rounds[kind].p99.push(result.latency.p99);
      rounds[kind].rate.push(result.requests.average);
      rounds[kind].cpu.push((1000 * ((await cpuSeconds()) - used)) / result.requests.total);
    }
  }
  for (const [kind, { p50, p99, rate, cpu }] of Object.entries(rounds)) {
    const shown = [rate, p50, p99].map((values) => median(values).toFixed(0));
    const each = median(cpu).toFixed(2);
    console.log(
      `${kind}: ${shown[0]}/s, p50 ${shown[1]} ms, p99 ${shown[2]} ms, CPU ${each} ms each`,
    );
  }
  const ratio = (figure: keyof Figures) =>
    (median(rounds.moving[figure]) / median(rounds.still[figure])).toFixed(3);
  console.log(
    `moving against still: throughput ${ratio('rate')} x, p50 ${ratio('p50')} x, p99 ${ratio('p99')} x, ` +
      `CPU time ${ratio('cpu')} x; ${moved} moves, ${failed} failed requests`,
  );
}

/** That the service has used so far, on all cores. */
async function cpuSeconds(): Promise<number> {
  const metrics = await (await fetch(`${service.url}/metrics`)).text();
  return Number(/^process_cpu_seconds_total (\S+)/m.exec(metrics)?.[1]);
}

/** One number per round. */
interface Figures {
  readonly p50: number[];
  readonly p99: number[];
  readonly rate: number[];
  readonly cpu: number[];
}

function newFigures(): Figures {
  return { p50: [], p99: [], rate: [], cpu: [] };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
