/** A child process for tests: lives until it is ended, or dies at once if its environment says so. */
if (process.env.DIE) process.exit(3);
process.once('SIGTERM', () => process.exit(0));
setInterval(() => undefined, 1000);
