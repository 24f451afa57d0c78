/**
 * Debian's radosgw with the least around it: one monitor, one object daemon in memory, one gateway, all on loopback
 * and below one folder, without authentication among themselves and without root.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { globSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const PROGRAMS = ['ceph', 'ceph-mon', 'ceph-osd', 'monmaptool', 'radosgw', 'radosgw-admin'];
const STEP_MS = 60_000;
const START_MS = 90_000;

export interface Cluster {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  stop(): Promise<void>;
}

/** Programs that are not installed. */
export async function missingPrograms(): Promise<string[]> {
  const found = await Promise.all(
    PROGRAMS.map((name) =>
      run('which', [name]).then(
        () => true,
        () => false,
      ),
    ),
  );
  return PROGRAMS.filter((_, i) => !found[i]);
}

/** @throws Error with the last lines of the logs if it does not come up */
export async function startCluster(): Promise<Cluster> {
  const dir = mkdtempSync(join(tmpdir(), 'polyprompt-radosgw-'));
  for (const name of ['mon', 'osd', 'rgw', 'run']) mkdirSync(join(dir, name));
  const [monitor, gateway] = [await freePort(), await freePort()];
  const fsid = randomUUID();
  const osd = randomUUID();
  const conf = join(dir, 'ceph.conf');
  writeFileSync(conf, configuration({ dir, fsid, monitor, gateway }));
  const children: ChildProcess[] = [];
  const daemon = (program: string, ...args: string[]) => {
    const log = openSync(join(dir, `${program}.out`), 'w');
    const child = spawn(program, ['-c', conf, '-f', ...args], { stdio: ['ignore', log, log] });
    children.push(child);
  };
  const step = (program: string, ...args: string[]) =>
    run(program, ['-c', conf, ...args], { timeout: STEP_MS, killSignal: 'SIGKILL' });
  const stop = async () => {
    for (const child of children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const map = join(dir, 'monmap');
    const address = `[v1:127.0.0.1:${monitor}]`;
    await run('monmaptool', ['--create', '--addv', 'a', address, '--fsid', fsid, map]);
    await step('ceph-mon', '--mkfs', '-i', 'a', '--monmap', map);
    daemon('ceph-mon', '-i', 'a');
    await step('ceph', 'osd', 'new', osd);
    await step('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osd);
    daemon('ceph-osd', '-i', '0');
    // What asks for the daemon's objects before it is up can wait for ever.
    await until('its object daemon is up', async () => {
      const { stdout } = await step('ceph', 'osd', 'dump', '--format', 'json');
      return (JSON.parse(stdout) as { osds: { up: number }[] }).osds[0]?.up === 1;
    });
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    const user = ['user', 'create', '--uid', 'test', '--display-name', 'test'];
    const keys = ['--access-key', 'test', '--secret', 'test'];
    await step('radosgw-admin', '--name', 'client.rgw', ...user, ...keys);
    daemon('radosgw', '--name', 'client.rgw');
    const endpoint = `http://127.0.0.1:${gateway}`;
    await until(`it answers at ${endpoint}`, async () => (await fetch(endpoint)).ok);
    return { endpoint, credentials, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function configuration(at: { dir: string; fsid: string; monitor: number; gateway: number }) {
  const [classes] = globSync('/usr/lib/*/rados-classes/libcls_rgw.so').map((path) => dirname(path));
  return `[global]
fsid = ${at.fsid}
run dir = ${at.dir}/run
admin socket = ${at.dir}/run/$name.asok
log file = ${at.dir}/$name.log
crash dir = ${at.dir}/crash
auth cluster required = none
auth service required = none
auth client required = none
mon host = v1:127.0.0.1:${at.monitor}
mon data = ${at.dir}/mon
mon allow pool size one = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
osd data = ${at.dir}/osd
osd class dir = ${classes}
[client.rgw]
rgw data = ${at.dir}/rgw
rgw frontends = beast endpoint=127.0.0.1:${at.gateway} tcp_nodelay=1
`;
}

/** Asks again and again; a question that fails is one that is answered with no. */
async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + START_MS;
  while (performance.now() < end) {
    if (await isSo().catch(() => false)) return;
    await sleep(200);
  }
  throw new Error(`radosgw was given ${START_MS / 1000} s until ${what}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
