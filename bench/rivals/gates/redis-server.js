/** Starts a redis-server on a free port of this machine, without persistence. The returned object stops it. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';

const READY = 'Ready to accept connections';
const START_MS = 10_000;

/** @returns {string | undefined} why no server can be started */
export function whyNoRedis() {
  const { error } = spawnSync('redis-server', ['--version']);
  return error === undefined ? undefined : 'redis-server is not installed';
}

/**
 * @returns {Promise<{ port: number, stop(): Promise<void> }>}
 * @throws if it does not start
 */
export async function startRedis() {
  const port = await freePort();
  const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const server = spawn('redis-server', [...options, '--dir', tmpdir()], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = async () => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill();
    await exited;
  };
  try {
    await ready(server);
    return { port, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @param {import('node:child_process').ChildProcessByStdio<null, import('node:stream').Readable, null>} server */
async function ready(server) {
  const signal = AbortSignal.timeout(START_MS);
  const gone = once(server, 'exit', { signal }).then(([code]) => {
    throw new Error(`redis-server ended with code ${code}: ${printed}`);
  });
  let printed = '';
  const told = (async () => {
    while (!printed.includes(READY)) printed += (await once(server.stdout, 'data', { signal }))[0];
  })();
  await Promise.race([told, gone]);
  gone.catch(() => {}); // the server ends later, when it is stopped
  server.stdout.resume();
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address());
  probe.close();
  await once(probe, 'close');
  return port;
}
