/** What a Redis server says of the orders in it, asked again and again without waiting for the answer. */
import { performance } from 'node:perf_hooks';
import type { RedisBacklog, RedisConsumer, RedisQueue, RedisWorkers } from '../redis/index.js';
import { cut, type Figure, figuresOf } from './figures.js';

/** What has orders in Redis. At least one of the two is needed. */
export interface ObservedRedis {
  /** The queue that stores them. */
  readonly queue?: Pick<RedisQueue<unknown>, 'stats' | 'depth'> | undefined;
  /**
   * Workers of the group that handles them. They need not run in this thread: then the page shows what the server says,
   * and no counts of this object.
   */
  readonly workers?: Pick<RedisWorkers<unknown>, 'stats' | 'backlog' | 'consumers'> | undefined;
}

interface Answer {
  readonly depth: number | undefined;
  readonly backlog: RedisBacklog | undefined;
  readonly consumers: readonly RedisConsumer[];
}

/** The server is late if it has not answered for this long, in milliseconds. */
const lateMs = 5_000;

export class RedisWatch {
  readonly #of: ObservedRedis;
  #answer: Answer | undefined;
  #answeredAt = performance.now();
  #fault: string | undefined;
  #isAsking = false;

  constructor(of: ObservedRedis) {
    this.#of = of;
    this.ask();
  }

  /** Asks the server, unless it has an earlier question to answer. */
  ask(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#asked()
      .then(
        (answer) => {
          this.#answer = answer;
          this.#answeredAt = performance.now();
          this.#fault = undefined;
        },
        (error: unknown) => {
          this.#fault = error instanceof Error ? error.message : 'an error';
        },
      )
      .finally(() => {
        this.#isAsking = false;
      });
  }

  async #asked(): Promise<Answer> {
    const { queue, workers } = this.#of;
    const [depth, backlog, consumers = []] = await Promise.all([
      queue?.depth(),
      workers?.backlog(),
      workers?.consumers(),
    ]);
    return { depth, backlog, consumers };
  }

  get consumers(): readonly RedisConsumer[] {
    return this.#answer?.consumers ?? [];
  }

  /** Dead letters, as the server last said. */
  get deadLetters(): number {
    return this.#answer?.backlog?.deadLetters ?? 0;
  }

  /** What is wrong with the server, if it does not answer. */
  get trouble(): string | undefined {
    const silentMs = performance.now() - this.#answeredAt;
    if (silentMs < lateMs) return undefined;
    const why = this.#fault === undefined ? '' : `: ${cut(this.#fault)}`;
    return `Redis has not answered for ${Math.floor(silentMs / 1_000)} s${why}.`;
  }

  /** @throws what the objects of the program throw. */
  figures(): Figure[] {
    const { queue, workers } = this.#of;
    const { depth, backlog } = this.#answer ?? {};
    const value = (of: number | undefined): number | null => of ?? null;
    const counts = workers?.stats();
    return [
      { name: 'Entries in the stream', value: value(backlog?.entries ?? depth) },
      ...(workers === undefined
        ? []
        : [
            { name: 'Not read yet', value: value(backlog?.unread) },
            { name: 'Pending: read and not done', value: value(backlog?.pending) },
            { name: 'Waiting for another try', value: value(backlog?.waiting) },
            { name: 'Dead letters', value: value(backlog?.deadLetters) },
          ]),
      ...(queue === undefined ? [] : figuresOf('Queue', queue.stats())),
      ...(counts?.isRunning ? figuresOf('Workers', counts) : []),
    ];
  }
}
