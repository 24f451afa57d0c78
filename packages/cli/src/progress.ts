/** A tuning run as seen by a person: a bar on a terminal, a line per evaluation anywhere else. */
import type { TuningEvent } from '@polyprompt/tuning';
import cliProgress from 'cli-progress';
import { count, duration } from './format.ts';

export interface Progress {
  readonly onEvent: (event: TuningEvent) => void;
  /** Prints a line beside the progress. */
  readonly note: (text: string) => void;
  /** Leaves the cursor on a new line; call it before anything else is printed. */
  readonly stop: () => void;
}

type Step = Extract<TuningEvent, { type: 'step' }>;
type Evaluated = Extract<TuningEvent, { type: 'evaluated' }>;

const SILENT: Progress = { onEvent: () => {}, note: () => {}, stop: () => {} };

export function showProgress(stream: NodeJS.WriteStream, { quiet = false } = {}): Progress {
  if (quiet) return SILENT;
  return stream.isTTY ? progressBar(stream) : progressLines(stream);
}

function progressBar(stream: NodeJS.WriteStream): Progress {
  const bar = new cliProgress.SingleBar(
    {
      stream,
      format: '{bar} {value}/{total}  loss {loss}  dev {dev}  {speed} tokens/s  {left} left',
      barsize: 24,
      fps: 5,
      hideCursor: true,
      // Ctrl-C belongs to the command, which checkpoints.
      gracefulExit: false,
    },
    cliProgress.Presets.shades_classic,
  );
  const unknown = { loss: '-', dev: '-', speed: '-', left: '-' };
  // Of several candidates the best is shown.
  let best = 0;
  return {
    onEvent(event) {
      if (event.type === 'started') bar.start(event.totalSteps, event.step, unknown);
      else if (event.type === 'step') bar.update(event.step, shown(event));
      else if (event.type === 'evaluated') {
        best = event.candidate === undefined ? event.metric : Math.max(best, event.metric);
        bar.update(event.step, { dev: best.toFixed(4) });
      } else if (event.type === 'diverged') {
        stream.write(`\r\x1b[K${divergedLine(event)}\n`);
      }
    },
    // The bar is drawn again below.
    note: (text) => stream.write(bar.isActive ? `\r\x1b[K${text}\n` : `${text}\n`),
    stop: () => {
      if (bar.isActive) bar.stop();
    },
  };
}

function shown({ loss, tokensPerSecond, etaSeconds }: Step) {
  return { loss: loss.toFixed(4), speed: count(tokensPerSecond), left: duration(etaSeconds) };
}

function progressLines(stream: NodeJS.WriteStream): Progress {
  let last: Step | undefined;
  const line = (text: string) => stream.write(`${text}\n`);
  return {
    onEvent(event) {
      switch (event.type) {
        case 'started':
          line(
            event.step > 0
              ? `continuing after step ${event.step} of ${event.totalSteps}`
              : `${event.totalSteps} steps`,
          );
          break;
        case 'step':
          last = event;
          break;
        case 'evaluated':
          if (last) line(evaluationLine(event, last));
          break;
        case 'diverged':
          line(divergedLine(event));
          break;
        case 'checked':
        case 'checkpoint':
          break;
        default:
          event satisfies never;
      }
    },
    note: line,
    stop: () => {},
  };
}

function divergedLine({ candidate, message }: Extract<TuningEvent, { type: 'diverged' }>): string {
  return `${candidate}: ${message}`;
}

function evaluationLine({ metricName, metric, best, candidate }: Evaluated, last: Step): string {
  const { loss, speed, left } = shown(last);
  return (
    `${candidate === undefined ? '' : `${candidate}  `}step ${last.step}/${last.totalSteps}  loss ${loss}  dev ${metricName} ${metric.toFixed(4)}` +
    `${best ? ' (best)' : ''}  ${speed} tokens/s  ${left} left`
  );
}
