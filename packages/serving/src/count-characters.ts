/** Unicode code points of all texts in an input, whatever the task calls them. */
export function countCharacters(input: unknown): number {
  if (typeof input === 'string') {
    let count = 0;
    for (const _ of input) count++;
    return count;
  }
  if (typeof input !== 'object' || input === null) return 0;
  return Object.values(input).reduce((sum: number, value) => sum + countCharacters(value), 0);
}
