/**
 * Loaded into a child process before its own code: when the parent is gone, however it went, so is the
 * child; a graceful end first, in case it can still save something.
 */
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
// The channel alone must not keep the child alive.
process.channel?.unref();
