/** An HTTP server that can end without dropping what it took. */
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { StartError } from './start-error.ts';

/** Longer than clients and load balancers keep idle connections, so that none is closed under a request. */
const KEEP_ALIVE_MS = 75_000;
/** For a whole request: an upload over a slow line takes long. */
const REQUEST_MS = 3600_000;
const SWEEP_MS = 50;

export interface Listening {
  readonly port: number;
  /** Takes no more connections and waits for the open requests, but not longer than `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** @throws StartError when the address cannot be had */
export async function listen(
  app: { readonly fetch: (request: Request) => Response | Promise<Response> },
  host: string,
  port: number,
): Promise<Listening> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    serverOptions: { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: REQUEST_MS },
  }) as Server;
  const open = new Set<ServerResponse>();
  let closing = false;
  // Before the handler, which may answer at once.
  server.prependListener('request', (_, response) => {
    if (closing) response.shouldKeepAlive = false;
    open.add(response);
    response.once('close', () => open.delete(response));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const inUse = error.code === 'EADDRINUSE' ? '; POLYPROMPT_PORT chooses another' : '';
      reject(new StartError(`cannot listen on ${host}:${port}: ${error.message}${inUse}`));
    });
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close(graceMs) {
      // Otherwise the client may send its next request while its connection, idle now, is being closed.
      closing = true;
      for (const response of open) response.shouldKeepAlive = false;
      const closed = new Promise((resolve) => server.close(resolve));
      // Connections that become idle only now would otherwise stay for the whole keep-alive time.
      const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
      const cut = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearInterval(sweep);
      clearTimeout(cut);
    },
  };
}
