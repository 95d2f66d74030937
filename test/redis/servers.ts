import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The servers that the tests run against: Redis, and Valkey, which has the same protocol. */
const binaries = ['redis-server', 'valkey-server'] as const;
export type Binary = (typeof binaries)[number];

export function isInstalled(binary: string): boolean {
  return spawnSync(binary, ['--version']).error === undefined;
}

/** The binaries, and whether each is installed. A test of one that is missing is skipped. */
export const servers: ReadonlyArray<{ binary: Binary; missing: boolean }> = binaries.map((binary) => ({
  binary,
  missing: !isInstalled(binary),
}));
export const noRedis: boolean = !isInstalled('redis-server');

const startMs = 20_000;

/** A server on a free port of this machine, with a directory of its own. */
export class Server {
  readonly port: number;
  readonly directory: string;
  readonly #binary: Binary;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(binary: Binary, port: number, args: readonly string[]) {
    this.#binary = binary;
    this.port = port;
    this.#args = args;
    this.directory = mkdtempSync(join(tmpdir(), 'sluice-redis-'));
  }

  /** Starts a server without files; `args` may say otherwise. */
  static async start(binary: Binary = 'redis-server', args: readonly string[] = []): Promise<Server> {
    const server = new Server(binary, await freePort(), args);
    started.add(server);
    await server.start();
    return server;
  }

  /** Starts it, again after an end: with the same port, directory and arguments. */
  async start(): Promise<void> {
    const args = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', this.directory, '--save', ''];
    const child = spawn(this.#binary, [...args, ...this.#args], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process = child;
    try {
      await isReady(child);
    } catch (error) {
      await this.end('SIGKILL');
      throw error;
    }
    child.stdout.resume();
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }
}

/** Resolves when the server says that it is ready; rejects with what it said if it ends, or says nothing for long. */
function isReady(child: ChildProcess): Promise<void> {
  let printed = '';
  return new Promise((resolve, reject) => {
    const failed = (): void => reject(new Error(`the server did not start: ${printed}`));
    const timer = setTimeout(failed, startMs);
    child.once('exit', failed);
    child.stdout?.on('data', (data: Buffer) => {
      printed += data;
      if (!printed.includes('Ready to accept connections')) return;
      clearTimeout(timer);
      child.stdout?.removeAllListeners('data');
      resolve();
    });
  });
}

const started = new Set<Server>();

/** Ends all servers of the test file and removes their directories. For `afterAll`. */
export async function endServers(): Promise<void> {
  for (const server of started) {
    await server.end('SIGKILL');
    rmSync(server.directory, { recursive: true, force: true });
  }
  started.clear();
}

async function freePort(): Promise<number> {
  // The port of a cluster's bus is 10,000 higher.
  for (;;) {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as { port: number };
    probe.close();
    await once(probe, 'close');
    if (port < 55_000) return port;
  }
}
