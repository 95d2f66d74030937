// @ts-check
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const READY = 'Ready to accept connections';

/** A redis-server of this program: on a free port of this machine, with a file that has all that it acknowledged. */
export class StreamServer {
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #process;
  #directory = mkdtempSync(join(tmpdir(), 'flash-sale-'));
  #port = 0;
  kills = 0;

  get url() {
    return `redis://127.0.0.1:${this.#port}`;
  }

  /** The number of its process; undefined while there is none. */
  get pid() {
    return this.#process?.pid;
  }

  async start() {
    if (this.#port === 0) this.#port = await freePort();
    const server = spawn(
      'redis-server',
      [
        ...['--port', `${this.#port}`, '--bind', '127.0.0.1', '--dir', this.#directory, '--save', ''],
        ...['--appendonly', 'yes', '--appendfsync', 'always'],
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    this.#process = server;
    const kill = () => server.kill('SIGKILL'); // also if this program fails
    process.once('exit', kill);
    server.once('exit', () => process.off('exit', kill));
    await new Promise((resolve, reject) => {
      let printed = '';
      server.once('error', () => reject(new Error('--redis spawn: redis-server is not installed')));
      server.once('exit', () => reject(new Error(`redis-server did not start: ${printed}`)));
      server.stdout.on('data', (data) => {
        printed += data;
        if (printed.includes(READY)) resolve(undefined);
      });
    });
    server.stdout.removeAllListeners('data').resume();
  }

  /** Kills the server, and starts it again. */
  async restart() {
    this.kills += 1;
    await this.#kill();
    await this.start();
  }

  async stop() {
    await this.#kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #kill() {
    const server = this.#process;
    this.#process = undefined;
    if (server === undefined || server.pid === undefined) return;
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill('SIGKILL');
    await exited;
  }
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address());
  probe.close();
  await once(probe, 'close');
  return port;
}
