/** Where the time of a start goes, in milliseconds; the first phase began with the process. */
export function stopwatch(now: () => number = () => performance.now()) {
  const ms: Record<string, number> = {};
  let last = 0;
  const lap = (phase: string) => {
    const time = now();
    ms[phase] = Math.round(time - last);
    last = time;
  };
  lap('modules');
  return { ms, lap };
}
