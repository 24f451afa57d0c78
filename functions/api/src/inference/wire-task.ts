/** How a task speaks Hugging Face: one adapter per task, so that the route itself knows none. */
import type { TaskName, TaskTypes } from '@polyprompt/tasks';
import type { z } from 'zod';

/** One request in the task's own words. */
export interface TaskCall<T extends TaskTypes> {
  readonly inputs: readonly T['input'][];
  readonly options: T['options'];
  /** What the body calls those of the options that have other names there. */
  readonly optionNames?: Readonly<Record<string, string>>;
  readonly truncate: boolean;
  /** Whether the body can ask for that; true unless given. */
  readonly truncates?: boolean;
  /** What offsets in the answers count, where there are any. */
  readonly offsetUnit?: 'codepoint' | 'utf16' | 'byte';
  /** Where in the body an input came from, for errors. */
  inputName(index: number): string;
  /** The body of the response from one answer per input. */
  render(answers: readonly T['answer'][]): object;
}

export interface WireTask<T extends TaskTypes, Body> {
  readonly task: TaskName;
  readonly schema: z.ZodType<Body>;
  /** What `inputs` must be, for the client whose body is another task's. */
  readonly inputs: string;
  read(body: Body): TaskCall<T>;
}
