/**
 * npm run check:fixtures -- FOLDER...: replays reference cases and prints, per case, the worst
 * deviation over its tolerance. Exits with 1 if any exceeds 1.
 */
import { checkFixtures } from '@polyprompt/backbone/testing';

const folders = process.argv.slice(2);
if (folders.length === 0) {
  console.error('usage: npm run check:fixtures -- FOLDER...');
  process.exit(2);
}
let failed = 0;
for (const folder of folders) {
  console.log(folder);
  const results = await checkFixtures(folder);
  for (const name of new Set(results.map((result) => result.case))) {
    const outputs = results.filter((result) => result.case === name);
    const worst = outputs.reduce((a, b) => (b.ratio > a.ratio ? b : a));
    const verdict = worst.ratio <= 1 ? 'ok  ' : 'FAIL';
    if (worst.ratio > 1) failed++;
    console.log(
      `  ${verdict} ${name.padEnd(20)} ${worst.ratio.toFixed(4).padStart(9)} of the tolerance ` +
        `(${worst.output}; ${outputs.length} outputs)`,
    );
  }
}
console.log(failed === 0 ? 'all cases within tolerance' : `${failed} cases out of tolerance`);
process.exit(failed === 0 ? 0 : 1);
