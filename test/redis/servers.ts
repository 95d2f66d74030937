import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
  readonly #args: (server: Server) => readonly string[];
  #process: ChildProcess | undefined;

  private constructor(binary: Binary, port: number, args: (server: Server) => readonly string[]) {
    this.#binary = binary;
    this.port = port;
    this.#args = args;
    this.directory = mkdtempSync(join(tmpdir(), 'sluice-redis-'));
  }

  /** Starts a server without files; `args` may say otherwise. */
  static async start(
    binary: Binary = 'redis-server',
    args: readonly string[] | ((server: Server) => readonly string[]) = [],
  ): Promise<Server> {
    const usual = ({ port, directory }: Server): string[] => [
      ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory, '--save', ''],
    ];
    const more = (server: Server) => (typeof args === 'function' ? args(server) : args);
    return await Server.#run(
      new Server(binary, await freePort(), (server) => [...usual(server), ...more(server)]),
    );
  }

  /** Starts a Sentinel, which decides alone, about the master at `port` and its replicas, by the name `sale`. */
  static async startSentinel(binary: Binary, port: number): Promise<Server> {
    const sentinel = new Server(binary, await freePort(), ({ directory }) => [
      join(directory, 'sentinel.conf'),
      '--sentinel',
    ]);
    const settings = [
      ...[`port ${sentinel.port}`, 'bind 127.0.0.1', `dir ${sentinel.directory}`],
      ...[`sentinel monitor sale 127.0.0.1 ${port} 1`, 'sentinel down-after-milliseconds sale 1000'],
      ...['sentinel failover-timeout sale 10000'],
    ];
    writeFileSync(join(sentinel.directory, 'sentinel.conf'), `${settings.join('\n')}\n`);
    return await Server.#run(sentinel);
  }

  static async #run(server: Server): Promise<Server> {
    started.add(server);
    await server.start();
    return server;
  }

  /** Starts it, again after an end: with the same port, directory and arguments. */
  async start(): Promise<void> {
    const child = spawn(this.#binary, this.#args(this), { stdio: ['ignore', 'pipe', 'inherit'] });
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
      if (!/Ready to accept connections|\+monitor master/.test(printed)) return;
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
