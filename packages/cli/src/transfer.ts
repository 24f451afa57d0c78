/** Bytes on their way, as seen by a person: a bar on a terminal, now and then a line anywhere else. */
import cliProgress from 'cli-progress';
import { bytes } from './format.ts';

export interface TransferView {
  readonly onProgress: (done: number, total: number, what?: string) => void;
  /** Leaves the cursor on a new line; call it before anything else is printed. */
  readonly stop: () => void;
}

export function showTransfer(stream: NodeJS.WriteStream, { quiet = false } = {}): TransferView {
  if (quiet) return { onProgress: () => {}, stop: () => {} };
  return stream.isTTY ? bar(stream) : lines(stream);
}

function bar(stream: NodeJS.WriteStream): TransferView {
  const view = new cliProgress.SingleBar(
    {
      stream,
      format: '{bar} {percentage} %  {done} of {all}  {what}',
      barsize: 24,
      fps: 5,
      hideCursor: true,
      gracefulExit: false,
    },
    cliProgress.Presets.shades_classic,
  );
  return {
    onProgress(done, total, what = '') {
      const shown = { done: bytes(done), all: bytes(total), what };
      if (view.isActive) view.update(done, shown);
      else view.start(total, done, shown);
    },
    stop() {
      if (view.isActive) view.stop();
    },
  };
}

function lines(stream: NodeJS.WriteStream): TransferView {
  let tenths = 0;
  return {
    onProgress(done, total) {
      const now = Math.floor((10 * done) / total);
      if (now <= tenths) return;
      tenths = now;
      stream.write(`${bytes(done)} of ${bytes(total)}\n`);
    },
    stop() {},
  };
}
