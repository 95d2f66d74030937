import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../examples/flash-sale/main.js', import.meta.url));

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** The flash sale as a user starts it: a process of its own. `nodeArgs` are options of Node.js. */
export class Example {
  readonly #child: ChildProcess;
  readonly finished: Promise<Finished>;
  #stdout = '';
  #stderr = '';
  /** Whether the process has ended and all that it wrote has been read. */
  #closed = false;

  constructor(args: readonly string[], nodeArgs: readonly string[] = []) {
    this.#child = spawn(process.execPath, [...nodeArgs, MAIN, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.finished = once(this.#child, 'close').then(([code, signal]) => {
      this.#closed = true;
      return {
        code: code as number | null,
        signal: signal as NodeJS.Signals | null,
        stdout: this.#stdout,
        stderr: this.#stderr,
      };
    });
  }

  /** Waits until stdout or stderr contains the pattern; fails if the process ends first. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr);
      if (found) return found;
      if (this.#closed) {
        throw new Error(`ended without printing ${pattern}:\n${this.#stdout}\n${this.#stderr}`);
      }
      await Promise.race([
        once(this.#child.stdout as NodeJS.ReadableStream, 'data'),
        once(this.#child.stderr as NodeJS.ReadableStream, 'data'),
        this.finished,
      ]);
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}
