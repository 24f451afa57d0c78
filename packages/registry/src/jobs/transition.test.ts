import { describe, expect, it } from 'vitest';
import { JOB_STATUSES, type JobStatus } from './job.ts';
import { isFinished, JOB_TRANSITIONS, nextStatus } from './transition.ts';

const EXPECTED = `
                  take              validated  give_back         pause   resume  succeed    fail    cancel
validating_files  validating_files  running    validating_files  paused  -       -          failed  cancelled
queued            running           -          -                 paused  -       -          failed  cancelled
running           running           running    queued            paused  -       succeeded  failed  cancelled
paused            paused            -          paused            -       queued  -          failed  cancelled
succeeded         -                 -          -                 -       -       -          -       -
failed            -                 -          -                 -       -       -          -       -
cancelled         -                 -          -                 -       -       -          -       -
`;

const [header, ...rows] = EXPECTED.trim()
  .split('\n')
  .map((line) => line.trim().split(/\s+/));

describe('the state machine of a job', () => {
  const pairs = rows.flatMap(([status, ...cells]) =>
    cells.map((cell, i) => [status!, header![i]!, cell] as const),
  );

  it('is covered by the table, pair by pair', () => {
    expect(rows.map(([status]) => status)).toEqual([...JOB_STATUSES]);
    expect(header!.toSorted()).toEqual([...JOB_TRANSITIONS].sort());
    expect(pairs).toHaveLength(JOB_STATUSES.length * JOB_TRANSITIONS.length);
  });

  it.each(pairs)('%s + %s = %s', (status, transition, next) => {
    const found = nextStatus(status as JobStatus, transition as (typeof JOB_TRANSITIONS)[number]);
    expect(found ?? '-').toBe(next);
  });

  it('ends in succeeded, failed and cancelled, and nowhere else', () => {
    expect(JOB_STATUSES.filter(isFinished)).toEqual(['succeeded', 'failed', 'cancelled']);
  });
});
