import { performance } from 'node:perf_hooks';
import { RedisLimiter, type RedisLimiterOptions, type RedisPort } from 'sluice/redis';

let names = 0;

/** The name of a limit that no other test uses. */
export function newName(): string {
  names++;
  return `t${process.pid}-${names}`;
}

const opened = new Set<RedisLimiter>();

/** Opens a limiter that the end of the test closes. */
export async function open(redis: RedisPort, more: Partial<RedisLimiterOptions> = {}): Promise<RedisLimiter> {
  const limiter = await RedisLimiter.open({
    ...{ redis, prefix: 'test', name: newName(), timeoutMs: 5_000 },
    ...more,
  });
  opened.add(limiter);
  return limiter;
}

/** Closes the limiters of a test. For `afterEach`. */
export async function closeLimiters(): Promise<void> {
  await Promise.all([...opened].map((limiter) => limiter.close()));
  opened.clear();
}

/**
 * A clock that a test advances, in place of the server's TIME. The clocks of this process stand still, too, and are
 * advanced with it.
 */
export class ServerClock {
  /** In microseconds. Begins at a multiple of all lengths that the tests have. */
  us = 1_800_000_000_000_000;
  readonly #now = performance.now;
  readonly #wall = Date.now;
  #ahead = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor() {
    const [now, wall] = [performance.now(), Date.now()];
    performance.now = () => now + this.#ahead;
    Date.now = () => wall + Math.floor(this.#ahead);
  }

  advance(ms: number): void {
    this.us += Math.round(ms * 1_000);
    this.#ahead += ms;
  }

  /** Gives this process its own clocks back. */
  end(): void {
    performance.now = this.#now;
    Date.now = this.#wall;
  }

  /**
   * Returns a port whose scripts get this time from TIME. They run one after the other, over all ports: otherwise one
   * that was sent first on another connection may run last, and the clock would go back.
   */
  over(port: RedisPort): RedisPort {
    return {
      send: (args, options) => {
        // Each run has another text, which the server does not know by its hash.
        if (args[0] === 'EVALSHA') return Promise.reject(new Error('NOSCRIPT in a test'));
        if (args[0] !== 'EVAL') return port.send(args, options);
        const sent = this.#last.then(() =>
          port.send(['EVAL', this.#timed(String(args[1])), ...args.slice(2)], options),
        );
        this.#last = sent.catch(() => {});
        return sent;
      },
      duplicate: async (key) => this.over(await port.duplicate(key)),
      close: () => port.close(),
    };
  }

  #timed(script: string): string {
    // A state would expire by the server's clock.
    const changes = [
      ["redis.call('TIME')", `{'${Math.floor(this.us / 1e6)}', '${this.us % 1e6}'}`],
      ["string.format('%.0f', ms)", "'600000'"],
    ] as const;
    return changes.reduce((text, [from, to]) => {
      if (!text.includes(from)) throw new Error(`the script does not have ${from}`);
      return text.replace(from, to);
    }, script);
  }
}
