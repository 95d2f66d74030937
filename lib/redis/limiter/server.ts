import { performance } from 'node:perf_hooks';
import { SluiceError } from '../../input/index.js';
import {
  codeOf,
  faultOf,
  Link,
  publishFault,
  type RedisPort,
  redisError,
  retryMs,
  Silent,
  sleep,
  within,
} from '../client/index.js';

/**
 * The server as a limiter sees it: calls on a connection of its own, each until the server has answered or the time is
 * over. The connection is not the program's, because one that says nothing any more must be replaced, and only Link may
 * do that. With a cluster its port finds the master of each key.
 */
export class LimitServer {
  readonly #link: Link;
  readonly #timeoutMs: number;
  readonly #end = new AbortController();
  readonly #retried: () => void;

  /** `retried` is called before each call that is repeated. */
  constructor(port: RedisPort, key: string, timeoutMs: number, retried: () => void) {
    this.#link = new Link(port, key);
    this.#timeoutMs = timeoutMs;
    this.#retried = retried;
  }

  /**
   * Makes a call, and repeats it while the server cannot answer it. `call` is told whether an earlier attempt may have
   * run: the server may have run what it did not answer. A call that is not `repeatable` is not made again then.
   *
   * @throws SluiceError `ERR_SLUICE_REDIS` if the server refuses the call; `ERR_SLUICE_TIMEOUT` without an answer.
   */
  async ask<T>(
    where: string,
    repeatable: boolean,
    call: (port: RedisPort, mayHaveRun: boolean) => Promise<T>,
  ): Promise<T> {
    const end = performance.now() + this.#timeoutMs;
    let mayHaveRun = false;
    for (let attempt = 1, cause: unknown; ; attempt++) {
      const leftMs = end - performance.now();
      if (leftMs <= 0 || this.#end.signal.aborted || (mayHaveRun && !repeatable))
        throw noAnswer(where, cause);
      if (attempt > 1) this.#retried();
      let isSent = false;
      try {
        const answer = this.#link.use(leftMs, (port) => {
          // The connection may have come after the caller has given up.
          if (performance.now() >= end) throw new Silent('no connection in time');
          isSent = true;
          return call(port, mayHaveRun);
        });
        return await within(leftMs, answer);
      } catch (error) {
        if (faultOf(error) !== 'again') throw redisError(where, error);
        mayHaveRun ||= isSent && codeOf(error) === undefined;
        cause = error;
        publishFault(error);
      }
      // Not before a connection that was closed while it was idle has been replaced once.
      if (attempt > 1) await sleep(Math.min(retryMs(attempt - 1), end - performance.now()), this.#end.signal);
    }
  }

  /** Closes the connection. Calls that wait for an answer get none. */
  close(): void {
    this.#end.abort();
    this.#link.close();
  }
}

function noAnswer(where: string, cause: unknown): SluiceError {
  const message = `${where}: no answer in time; the server may have done it or not`;
  return new SluiceError('ERR_SLUICE_TIMEOUT', message, { cause });
}
