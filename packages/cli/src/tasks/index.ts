/** The view of each task, for commands that treat all tasks alike. */
import type { TaskName, TaskTypes } from '@polyprompt/tasks';
import { CliError } from '../errors.ts';
import { questionAnsweringView } from './question-answering.ts';
import { textClassificationView } from './text-classification.ts';
import { tokenClassificationView } from './token-classification.ts';
import type { TaskOptions, TaskView } from './view.ts';

const VIEWS: Partial<Record<TaskName, unknown>> = {
  'text-classification': textClassificationView,
  'token-classification': tokenClassificationView,
  'question-answering': questionAnsweringView,
};

/** @throws CliError `bad_input` for a prompt of a task that this release does not have */
export function viewOf(name: TaskName): TaskView<TaskTypes> {
  const view = VIEWS[name];
  if (view) return view as TaskView<TaskTypes>;
  throw new CliError('bad_input', `the prompt is for ${name}, which this release does not have`);
}

/** Every option that belongs to some task. */
export const TASK_FLAGS: readonly (keyof TaskOptions)[] = [
  ...new Set(Object.values(VIEWS).flatMap((view) => (view as TaskView<TaskTypes>).flags)),
];

/** @throws CliError `usage` for an option that the task does not have */
export function checkFlags({ task, flags }: TaskView<TaskTypes>, options: TaskOptions): void {
  const foreign = TASK_FLAGS.find((flag) => options[flag] !== undefined && !flags.includes(flag));
  if (foreign === undefined) return;
  const name = `--${foreign.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new CliError('usage', `${name} is nothing for a prompt of ${task.name}; leave it out`);
}
