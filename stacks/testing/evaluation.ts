/** What an evaluation of the stacks gives; see evaluate.ts. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

export interface App {
  name: string;
  stage: string;
  removal: string;
  protect: boolean;
}

export interface Resource {
  /** As in `aws:s3/bucket:Bucket`. */
  readonly type: string;
  /** The logical name. */
  readonly name: string;
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: the inputs of any resource of AWS
  readonly inputs: any;
}

export interface Evaluation {
  readonly app: App;
  readonly resources: readonly Resource[];
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** A change to the text of a file of stacks/, which must have `from` exactly once. */
export interface Mutation {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  readonly Principal?: unknown;
  readonly Condition?: unknown;
}

export const listOf = <T>(value: T | readonly T[]): readonly T[] =>
  Array.isArray(value) ? (value as readonly T[]) : [value as T];

/** A stage as it would be deployed, with questions about it. */
export class Stack {
  readonly app: App;
  readonly resources: readonly Resource[];
  readonly outputs: Evaluation['outputs'];

  constructor({ app, resources, outputs }: Evaluation) {
    this.app = app;
    this.resources = resources;
    this.outputs = outputs;
  }

  all(type: string): readonly Resource[] {
    return this.resources.filter((each) => each.type === `aws:${type}`);
  }

  /** The inputs of the one resource of a type, or of that of this name. */
  one(type: string, name?: string): Resource['inputs'] {
    const found = this.all(type).filter((each) => name === undefined || each.name === name);
    if (found.length === 1) return found[0]!.inputs;
    throw new Error(`${found.length} resources are ${type} ${name ?? ''}`);
  }

  statements(role: string): readonly Statement[] {
    const { inlinePolicies = [] } = this.one('iam/role:Role', role);
    return inlinePolicies.flatMap(
      ({ policy }: { policy: string }) => JSON.parse(policy).Statement as Statement[],
    );
  }

  /** What a role may do, as `action resource`, the resource shortened to what is behind the account or bucket. */
  rights(role: string): string[] {
    return this.statements(role)
      .flatMap(({ Action, Resource }) =>
        listOf(Action).flatMap((action) =>
          listOf(Resource).map((resource) => `${action} ${short(resource)}`),
        ),
      )
      .toSorted();
  }

  trust(role: string): readonly Statement[] {
    const { assumeRolePolicy } = this.one('iam/role:Role', role);
    const policy =
      typeof assumeRolePolicy === 'string' ? JSON.parse(assumeRolePolicy) : assumeRolePolicy;
    return policy.Statement;
  }
}

/** arn:aws:s3:::statebucket-1234abcd/keys/* becomes StateBucket/keys/*. */
function short(arn: string): string {
  return arn.replace(/^arn:aws:(\w+):[\w-]*:\d*:/, '$1:');
}

/** Evaluates stages in a process of its own, one after the other. */
export class Evaluator {
  #child: ChildProcess | undefined;

  /** @param mutation for tests of the tests @throws what the program threw */
  async evaluate(stage: string, mutation?: Mutation): Promise<Stack> {
    this.#child ??= fork(join(import.meta.dirname, 'evaluate.ts'), {
      env: { ...process.env, AWS_EC2_METADATA_DISABLED: 'true' },
    });
    const child = this.#child;
    child.send({ stage, mutation });
    const answer = await new Promise<{ evaluation?: Evaluation; error?: string }>((resolve) => {
      child.once('message', (message) => resolve(message as { evaluation: Evaluation }));
      child.once('exit', (code) => resolve({ error: `the evaluation ended with ${code}` }));
    });
    child.removeAllListeners();
    if (answer.evaluation !== undefined) return new Stack(answer.evaluation);
    this.close();
    throw new Error(answer.error);
  }

  close(): void {
    this.#child?.kill();
    this.#child = undefined;
  }
}
