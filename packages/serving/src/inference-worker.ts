/**
 * The thread that computes. It owns the backbone's sessions and the tensors of the loaded prompts, and
 * does what it is told strictly in order: a prompt that is dropped after a run was posted is there for it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import {
  openBackbone,
  Predictor,
  type PromptTensors,
  type RowLogits,
  tensorsOf,
} from '@polyprompt/backbone';
import {
  type FromWorker,
  type InferenceRow,
  type ToWorker,
  toFailure,
  type WorkerSettings,
} from './protocol.ts';
import { warmUpPrompt } from './warm-up.ts';

const port = parentPort!;
const prompts = new Map<number, PromptTensors>();

try {
  const predictor = await start(workerData as WorkerSettings);
  const { device, precision } = predictor;
  post({ type: 'ready', runtime: { device, precision } });
  let work: Promise<void> = Promise.resolve();
  port.on('message', (message: ToWorker) => {
    work = work.then(() => handle(predictor, message));
  });
} catch (error) {
  post({ type: 'start_failed', failure: toFailure(error) });
}

async function start({ backboneDir, graphs, ...placed }: WorkerSettings): Promise<Predictor> {
  const backbone = openBackbone(backboneDir);
  const predictor = new Predictor(backbone, placed);
  const ids = [backbone.spec.padId, backbone.spec.padId];
  for (const kind of graphs) {
    await predictor.predict([{ ids, prompt: warmUpPrompt(backbone.spec, kind) }]);
  }
  return predictor;
}

async function handle(predictor: Predictor, message: ToWorker): Promise<void> {
  switch (message.type) {
    case 'load':
      prompts.set(message.prompt, message.tensors);
      return;
    case 'drop':
      drop(message.prompt);
      return;
    case 'run':
      await run(predictor, message.run, message.rows);
      return;
    case 'close':
      await predictor.release();
      port.close();
      return;
    default:
      message satisfies never;
  }
}

async function run(predictor: Predictor, id: number, rows: readonly InferenceRow[]): Promise<void> {
  try {
    const results = await predictor.predict(
      rows.map(({ prompt, ids, typeIds }) => ({ ids, typeIds, prompt: loaded(prompt) })),
    );
    const wanted = results.map((result, i) => logitsOf(result, rows[i]!));
    const lengths = wanted.map(({ length }) => length);
    const logits = new Float32Array(lengths.reduce((sum, length) => sum + length, 0));
    let at = 0;
    for (const values of wanted) {
      logits.set(values, at);
      at += values.length;
    }
    post({ type: 'logits', run: id, logits, lengths }, [logits.buffer]);
  } catch (error) {
    post({ type: 'run_failed', run: id, failure: toFailure(error) });
  }
}

function logitsOf({ pooled, tokens }: RowLogits, { output }: InferenceRow): Float32Array {
  return output === 'pooled' ? pooled : tokens;
}

function loaded(id: number): PromptTensors {
  const prompt = prompts.get(id);
  if (!prompt) throw new Error(`prompt ${id} is not loaded`);
  return prompt;
}

/** Gives the memory back now instead of at some garbage collection. */
function drop(id: number): void {
  const prompt = prompts.get(id);
  prompts.delete(id);
  for (const { data } of prompt ? tensorsOf(prompt) : []) {
    (data.buffer as ArrayBuffer).transfer(0);
  }
}

function post(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}
