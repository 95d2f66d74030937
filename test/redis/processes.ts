import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const program = (name: string) => fileURLToPath(new URL(`programs/${name}.js`, import.meta.url));

/** A program of `programs/`, which writes what it has done to a file in `directory`. */
class BookedProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;

  constructor(what: string, directory: string, name: string, options: object) {
    const given = JSON.stringify({ ...options, name, file: join(directory, name) });
    this.child = spawn(process.execPath, [program(what), given], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.exited = once(this.child, 'exit');
    running.add(this);
    this.child.once('exit', () => running.delete(this));
  }

  async ready(): Promise<void> {
    await once(this.child.stdout as NodeJS.ReadableStream, 'data');
  }

  /** Lets it end by itself. */
  async end(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.exited;
  }
}

/** A process of workers, which writes the orders that it has done. */
export class WorkerProcess extends BookedProcess {
  constructor(directory: string, name: string, options: object) {
    super('worker', directory, name, options);
  }
}

/** A process that sells, and writes what it was told. */
export class SellerProcess extends BookedProcess {
  constructor(directory: string, name: string, options: object) {
    super('seller', directory, name, options);
  }
}

/** A process that admits orders, handles them, and writes both. */
export class ShopProcess extends BookedProcess {
  constructor(directory: string, name: string, options: object) {
    super('shop', directory, name, options);
  }
}

const running = new Set<BookedProcess>();

/** Kills all processes of the test file. For `afterEach`. */
export async function endProcesses(): Promise<void> {
  for (const one of running) {
    one.child.kill('SIGCONT');
    one.child.kill('SIGKILL');
    await one.exited;
  }
}

/** Counts how often each order was done, by the files in `directory`. */
export function timesDone(directory: string): Map<number, number> {
  const times = new Map<number, number>();
  for (const file of readdirSync(directory)) {
    for (const line of readFileSync(join(directory, file), 'utf8').split('\n')) {
      if (line !== '') times.set(Number(line), (times.get(Number(line)) ?? 0) + 1);
    }
  }
  return times;
}
