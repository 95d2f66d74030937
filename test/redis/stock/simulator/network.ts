import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisPort } from 'sluice/redis';

/**
 * What becomes of a call. 'call-lost' and 'reply-lost': the connection breaks before or after the server has run it.
 * 'call-silent' and 'reply-silent': the same, and the caller hears nothing. 'slow': it comes some milliseconds later.
 * 'stale': it reaches the server when the caller has given it up and sent it again.
 */
export const mishaps = ['call-lost', 'reply-lost', 'call-silent', 'reply-silent', 'slow', 'stale'] as const;
export type Mishap = (typeof mishaps)[number];

const slowMs = 8;
/** Longer than some members of the simulated sales wait for an answer. */
const staleMs = 260;

const broken = (): Error => new Error('the connection is closed');
const silence = (): Promise<never> => new Promise(() => {});

/** The server of a sale, as all of its members see it: it can be away, and come back in an earlier state. */
export class World {
  readonly #server: RedisPort;
  readonly #running = new Set<Promise<unknown>>();
  /** Counts the server's returns to an earlier state: a call that was sent before does not reach it. */
  #age = 0;
  #isAway = false;
  #stale = 0;

  constructor(server: RedisPort) {
    this.#server = server;
  }

  /** Whether no call is on its way that its caller has given up. */
  get isCalm(): boolean {
    return this.#stale === 0;
  }

  /** Runs `change` while the server runs nothing else and all connections are cut. */
  async away(change: () => Promise<void>): Promise<void> {
    this.#isAway = true;
    this.#age++;
    await Promise.allSettled(this.#running);
    await change();
    this.#isAway = false;
  }

  async send(call: Parameters<RedisPort['send']>, mishap: Mishap | undefined): Promise<unknown> {
    const age = this.#age;
    if (mishap === 'slow') await sleep(slowMs);
    if (mishap === 'call-lost') throw broken();
    if (mishap === 'call-silent') return silence();
    if (mishap === 'stale') {
      this.#stale++;
      void sleep(staleMs)
        .then(() => this.#run(call, age))
        .catch(() => {}) // nobody waits for it
        .finally(() => this.#stale--);
      return silence();
    }
    const reply = await this.#run(call, age);
    if (mishap === 'reply-lost' || age !== this.#age) throw broken();
    return mishap === 'reply-silent' ? silence() : reply;
  }

  async #run(call: Parameters<RedisPort['send']>, age: number): Promise<unknown> {
    if (this.#isAway || age !== this.#age) throw broken();
    const running = this.#server.send(...call);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }
}

/** The connections of one member. */
export class Network {
  readonly port: RedisPort;
  readonly #next: Mishap[] = [];
  #isCut = false;

  constructor(world: World) {
    this.port = {
      send: async (...call) => {
        if (this.#isCut) throw broken();
        const reply = await world.send(call, this.#next.shift());
        return this.#isCut ? silence() : reply;
      },
      duplicate: async () => {
        if (this.#isCut) throw broken();
        return this.port;
      },
      close: () => {},
    };
  }

  /** Lets these things happen to the next calls. */
  befall(some: readonly Mishap[]): void {
    this.#next.push(...some);
  }

  /** Nothing passes any more in either direction: to all others, the member has died. */
  cut(): void {
    this.#isCut = true;
  }

  /** What was to happen does not happen any more. */
  heal(): void {
    this.#next.length = 0;
  }
}
