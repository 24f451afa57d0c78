import { TaskError } from './errors.ts';
import { questionAnswering } from './question-answering/index.ts';
import type { Task, TaskName, TaskTypes } from './task.ts';
import { textClassification } from './text-classification/index.ts';
import { tokenClassification } from './token-classification/index.ts';

const TASKS: Partial<Record<TaskName, unknown>> = {
  'text-classification': textClassification,
  'token-classification': tokenClassification,
  'question-answering': questionAnswering,
};

/**
 * The task of a name, for callers that treat all tasks alike.
 * @throws TaskError `unknown_task`
 */
export function taskOf(name: TaskName): Task<TaskTypes> {
  const task = TASKS[name];
  if (!task) {
    throw new TaskError(
      'unknown_task',
      `task "${name}" is not available; available are ${Object.keys(TASKS).join(', ')}`,
    );
  }
  // A caller by name handles inputs and answers as unknown values; the task checks nothing less.
  return task as Task<TaskTypes>;
}
