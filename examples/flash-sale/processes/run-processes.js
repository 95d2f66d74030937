// @ts-check
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';
import { nodeRedis, RedisStock, RedisWorkers } from 'sluice/redis';
import { CATALOGUE } from '../catalogue.js';
import { Interruption } from '../interruption.js';
import { watchLoop } from '../loop-watch.js';
import { Order } from '../order-schema.js';
import { buildReport } from '../report.js';
import { StreamServer } from '../stream-server.js';
import { Tally } from '../tally.js';
import { trade } from '../trade.js';
import { judge } from '../verdicts.js';
import { readBooks } from './shop-books.js';
import { ShopProcess } from './shop-process.js';
import { CONCURRENCY, GROUP, PREFIX, STREAM_LENGTH_MAX, stockOptions, streamOf } from './shop-schema.js';

/** With --chaos, a process, or the Redis server, is killed this often. */
const KILL_EVERY_MS = 1_500;
/** One in so many kills is that of the server. */
const SERVER_ONE_IN = 3;
const LAST_ORDERS_MS = 30_000;
const BYTES_PER_KIBIBYTE = 1_024;

/**
 * Sells one stock, which a Redis server keeps, from several HTTP servers, each a process with a cashier.
 * @param {import('../options.js').Options} options
 */
export async function runProcesses(options) {
  const interruption = new Interruption();
  const server = options.redis === 'spawn' ? new StreamServer() : undefined;
  const directory = mkdtempSync(join(tmpdir(), 'flash-sale-books-'));
  const sale = randomBytes(6).toString('hex');
  /** @type {ShopProcess[]} */
  const shops = [];
  /** @type {Awaited<ReturnType<typeof openObserver>> | undefined} */
  let observer;
  try {
    await server?.start();
    const redis = server?.url ?? /** @type {string} */ (options.redis);
    observer = await openObserver(redis, sale);
    for (let i = 0; i < options.processes; i++) {
      shops.push(new ShopProcess({ redis, sale, port: 0, book: join(directory, `cashier-${i}`) }));
    }
    await Promise.all(shops.map((shop) => shop.ready()));
    const watched = watchLoop();
    const startedAt = performance.now();
    const chaos = options.chaos ? new Chaos(shops, server) : undefined;
    const failure = options.chaos ? new Promise(() => {}) : Promise.race(shops.map((shop) => shop.failure()));
    failure.catch(() => {}); // after the closing, a failure means nothing, and nothing listens for it
    const findings = await trade({
      ...{ urls: shops.map(({ url }) => url), options, interruption },
      failure: /** @type {Promise<never>} */ (failure),
      answered: () => sumOf(shops, 'answered'),
      admitted: () => sumOf(shops, 'admitted'),
    });
    await chaos?.end();
    const elapsedMs = performance.now() - startedAt;
    const loop = watched();
    const failures = (await within(LAST_ORDERS_MS, Promise.all(shops.map((shop) => shop.close())))).flat();
    const { again, unwitnessed, ...books } = await readBooks({
      ...{ stock: observer.stock, directory, last: await observer.lastMovement() },
    });
    const { entries: left, deadLetters } = await observer.workers.backlog();
    const deaths = shops.reduce((sum, shop) => sum + shop.deaths, 0);
    const all = {
      ...books,
      offered: CATALOGUE,
      ...{ crew: undefined, stream: undefined },
      shops: {
        ...{ processes: options.processes, concurrency: CONCURRENCY, deaths, kills: server?.kills ?? 0 },
        ...{ again, unwitnessed, left, deadLetters },
      },
      receipts: findings?.receipts ?? [],
      receiptsComplete: findings?.unanswered === 0 && !options.serve,
    };
    const [byStatus, byOutcome] = [new Tally(), new Tally()];
    for (const one of shops.flatMap(({ answers }) => answers)) {
      byStatus.addAll(one.byStatus);
      byOutcome.addAll(one.byOutcome);
    }
    return buildReport({
      ...{ options, elapsedMs, loop, findings, books: all, verdicts: judge(all) },
      ...{ byStatus: byStatus.toJSON(), byOutcome: byOutcome.toJSON() },
      queue: { capacity: STREAM_LENGTH_MAX, highWater: null, stored: null },
      rssPeakBytes: process.resourceUsage().maxRSS * BYTES_PER_KIBIBYTE,
      problems: problemsOf({ failures, findings, options, byStatus }),
    });
  } finally {
    interruption.forget();
    for (const shop of shops) shop.kill();
    await observer?.close();
    await server?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * @param {ShopProcess[]} shops
 * @param {'answered' | 'admitted'} name
 */
function sumOf(shops, name) {
  return shops.flatMap(({ answers }) => answers).reduce((sum, one) => sum + one[name], 0);
}

/**
 * Opens the sale, and what reads its books at its end.
 * @param {string} url
 * @param {string} sale
 */
async function openObserver(url, sale) {
  const client = createClient({ url, disableOfflineQueue: true });
  client.on('error', () => {});
  await client.connect();
  const redis = nodeRedis(client);
  const stock = await RedisStock.open({ ...stockOptions(redis, sale), lease: false });
  const workers = new RedisWorkers({ redis, stream: streamOf(sale), record: Order, group: GROUP });
  return {
    stock,
    workers,
    /** The position of the last change. */
    async lastMovement() {
      const command = ['XREVRANGE', `${PREFIX}:{${sale}}:movements`, '+', '-', 'COUNT', '1'];
      const [last] = /** @type {[id: string, fields: [name: string, movements: string]][]} */ (
        /** @type {unknown} */ (await client.sendCommand(command))
      );
      return last && `${last[0]}.${JSON.parse(last[1][1]).length - 1}`;
    },
    async close() {
      await stock.close();
      client.destroy();
    },
  };
}

/** Kills processes of the sale, and the Redis server if it is this program's own, one after the other. */
class Chaos {
  #isOver = false;
  #done;

  /**
   * @param {ShopProcess[]} shops
   * @param {StreamServer | undefined} server
   */
  constructor(shops, server) {
    this.#done = this.#run(shops, server);
  }

  async end() {
    this.#isOver = true;
    await this.#done;
  }

  /**
   * @param {ShopProcess[]} shops
   * @param {StreamServer | undefined} server
   */
  async #run(shops, server) {
    for (let kill = 1; ; kill++) {
      await new Promise((resolve) => setTimeout(resolve, KILL_EVERY_MS));
      if (this.#isOver) return;
      if (server !== undefined && kill % SERVER_ONE_IN === 0) await server.restart();
      else await shops[kill % shops.length]?.replace();
    }
  }
}

/**
 * @param {object} sources
 * @param {string[]} sources.failures
 * @param {import('../load-threads.js').Findings | undefined} sources.findings
 * @param {import('../options.js').Options} sources.options
 * @param {Tally} sources.byStatus
 */
function problemsOf({ failures, findings, options, byStatus }) {
  const problems = failures.map((failure) => `a process failed: ${failure}`);
  if (findings === undefined) return problems;
  if (findings.stopped !== undefined) problems.push(findings.stopped);
  for (const { what, times, heard } of findings.problems)
    problems.push(`${what}; ${times} times it was not so, as in ${heard}`);
  if (findings.answered !== options.requests) {
    problems.push(`${options.requests} requests were planned, ${findings.answered} answered`);
  }
  const [sent, heard] = [JSON.stringify(byStatus), JSON.stringify(findings.byStatus)];
  if (!options.serve && !options.chaos && findings.unanswered === 0 && sent !== heard) {
    problems.push(`the servers answered ${sent}, the clients heard ${heard}`);
  }
  return problems;
}

/**
 * @template T
 * @param {number} deadlineMs
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
async function within(deadlineMs, promise) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    const message = `the processes did not finish within ${deadlineMs / 1_000} s`;
    timer = setTimeout(() => reject(new Error(message)), deadlineMs);
  });
  try {
    return /** @type {T} */ (await Promise.race([promise, late]));
  } finally {
    clearTimeout(timer);
  }
}
