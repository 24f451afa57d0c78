/** Numbers as people read them. */

export function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** Counts of many digits: `11.0 M`. */
export function millions(value: number): string {
  return value < 1e6 ? count(value) : `${(value / 1e6).toFixed(1)} M`;
}

/** A number with its noun: `1 step`, `1,200 steps`. */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** How many inputs were cut. @param part what of them, where it is not the whole text that has the limit */
export function cutNotice(many: number, part: string | undefined, limit: number): string {
  const what = part === undefined ? plural(many, 'text') : plural(many, part);
  const to = part === undefined ? plural(limit, 'token') : 'what leaves room for the rest';
  return `${what} cut to ${to}, as --truncate asked`;
}

/** `0.9 s`, `42 s`, `3 m 05 s`, `2 h 10 m`. */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} m`;
}

export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  const power = value < 1 ? 0 : Math.min(Math.floor(Math.log10(value) / 3), units.length - 1);
  return `${(value / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** Seconds of Unix time as a date and time in UTC. */
export function moment(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return '-';
  return new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ');
}

/** A score between 0 and 1. */
export function fixed(value: number): string {
  return value.toFixed(4);
}

/** A share as percent with three significant digits. */
export function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}

/** The command line that has these arguments, quoted for a POSIX shell. */
export function commandLine(args: readonly string[]): string {
  const quoted = args.map((arg) =>
    /^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`,
  );
  return ['npx polyprompt', ...quoted].join(' ');
}
