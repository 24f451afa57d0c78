/// <reference path="../.sst/platform/config.d.ts" />
import { mayLog, type Statement, trust } from './permissions.ts';

/** What all functions have in common: a log of their own, and a role that may do what is said here alone. */
export function functionOptions(logs: aws.cloudwatch.LogGroup, may: Statement[]) {
  return {
    logging: { format: 'json' as const, logGroup: logs.name },
    permissions: [...may, mayLog(logs)],
    transform: {
      role: (args: aws.iam.RoleArgs): undefined => {
        // SST 4.17.1 takes an output for a boolean and trusts the whole account, too.
        args.assumeRolePolicy = trust('lambda');
        // AWSLambdaBasicExecutionRole, which may write to every log.
        args.managedPolicyArns = [];
      },
    },
  };
}
