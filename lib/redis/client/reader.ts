import { performance } from 'node:perf_hooks';
import { faultOf, retryMs } from './faults.js';
import { Link } from './link.js';
import type { RedisPort } from './port.js';
import { Silent, sleep } from './within.js';

const callMsMax = 5_000;

/** A connection for commands that change nothing: they are sent again until the server answers, or the time is over. */
export class Reader {
  readonly #link: Link;
  readonly #timeoutMs: number;
  readonly #end = new AbortController();
  readonly #calls = new Set<Promise<unknown>>();

  constructor(port: RedisPort, key: string, timeoutMs: number) {
    this.#link = new Link(port, key);
    this.#timeoutMs = timeoutMs;
  }

  /** Makes a call, and makes something of its reply. @throws the error of the last try. */
  async read<T>(call: (port: RedisPort) => Promise<unknown>, make: (reply: unknown) => T): Promise<T> {
    const answer = this.#read(call, make);
    this.#calls.add(answer);
    try {
      return await answer;
    } finally {
      this.#calls.delete(answer);
    }
  }

  async #read<T>(call: (port: RedisPort) => Promise<unknown>, make: (reply: unknown) => T): Promise<T> {
    const end = performance.now() + this.#timeoutMs;
    for (let failures = 0; ; ) {
      const leftMs = end - performance.now();
      try {
        return make(await this.#link.use(Math.min(callMsMax, Math.max(1, leftMs)), call));
      } catch (error) {
        const isOver = this.#end.signal.aborted || performance.now() >= end;
        if (isOver || faultOf(error) === 'final') throw error;
        if (!(error instanceof Silent)) await sleep(Math.min(retryMs(++failures), leftMs), this.#end.signal);
      }
    }
  }

  /** Waits for the calls that are made, then closes the connection. Calls after it fail. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#calls);
    this.#end.abort();
    this.#link.close();
  }
}
