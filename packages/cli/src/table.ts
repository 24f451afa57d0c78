/** Plain tables: aligned columns, no lines, the same on a terminal and in a file. */
import Table from 'cli-table3';

const NO_LINES = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid'].flatMap((side) =>
    ['', '-mid', '-left', '-right'].map((part) => [`${side}${part}`, '']),
  ),
);

/** @param align one letter per column: `l`eft or `r`ight */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  align: string,
): string {
  const grid = new Table({
    head: [...head],
    colAligns: [...align].map((letter) => (letter === 'r' ? 'right' : 'left')),
    chars: { ...NO_LINES, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  });
  grid.push(...rows.map((row) => [...row]));
  return trimEnds(grid.toString());
}

/** Names and values, one pair per line. */
export function facts(pairs: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}

function trimEnds(text: string): string {
  return text.replace(/[ \t]+$/gm, '');
}
