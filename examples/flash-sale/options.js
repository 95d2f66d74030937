// @ts-check
import { parseArgs } from 'node:util';

/**
 * @typedef {object} Options
 * @property {number} requests
 * @property {number} users
 * @property {number} connections
 * @property {number} workers   cashiers that a crew has; 0: one cashier without a crew
 * @property {number} processes  HTTP servers that sell one stock, each a process; 0: one, in this process
 * @property {boolean} chaos    whether workers are killed during the sale
 * @property {string | undefined} redis  the URL of a server for the orders that find no room, or 'spawn'
 * @property {boolean} json
 * @property {boolean} serve
 * @property {boolean} load   whether to send the built-in load
 * @property {boolean} dashboard whether a page shows the sale while it runs
 * @property {string | undefined} overflow the file that keeps orders beyond the queue
 * @property {boolean} help
 */

/** An error in the command line; the message names the argument. */
export class BadArgument extends Error {
  /** @override */
  name = 'BadArgument';
}

const DEFAULTS = { requests: 100_000, users: 20_000, connections: 64, workers: 0, processes: 0 };

/** The tables of sale.js limit the number of users. A run of more than 10,000,000 requests would take too long. */
const RANGES = {
  requests: { min: 1, max: 10_000_000 },
  users: { min: 1, max: 1_000_000 },
  connections: { min: 2, max: 1_000 },
  workers: { min: 0, max: 64 },
  processes: { min: 0, max: 32 },
};

export const HELP = `A flash sale on sluice: an HTTP server, a cashier in a worker thread, and real load.

Usage: npm start -- [options]
       node examples/flash-sale/main.js [options]

Options
  --requests <n>     requests to send (default ${DEFAULTS.requests})
  --users <n>        users who send them (default ${DEFAULTS.users})
  --connections <n>  keep-alive connections in all (default ${DEFAULTS.connections})
  --workers <n>      dispatch the orders to this many cashiers, each in a worker thread; 0 (the default):
                     one cashier, who handles all orders in the order of admission
  --redis <url>      store the orders that find no room in the queue in a stream of this Redis server, from
                     where other cashiers handle them; 'spawn' starts a redis-server for that
  --processes <n>    with --redis: sell one stock, which the Redis server keeps, from this many HTTP servers,
                     each a process of its own with a cashier; 0 (the default): one, without
  --chaos            with --workers: kill workers while the sale runs; with --redis spawn: kill the server;
                     with --processes: kill processes, too
  --json             print the report as one JSON object on stdout, and progress on stderr
                     (through npm: npm start --silent -- --json)
  --serve            keep the server up for your own client until SIGINT or SIGTERM; sends no load of
                     its own unless --requests is given
  --overflow <file>  keep orders for which the queue has no room in this file, a SQLite file (Node.js
                     20: an LMDB file, with the package lmdb), and handle them when it has
  --dashboard        serve a page that shows the sale while it runs, and print its address
  --help             print this

Exit code 0: nothing was oversold, every admitted order was resolved exactly once and in the order of
admission (with --workers: of its user's orders), none was lost with a worker that was killed, and the
audit of the stock passed. 1: not so, or the load could not be carried out.
2: a wrong argument.
`;

/**
 * @param {string[]} args
 * @returns {Options}
 * @throws {BadArgument}
 */
export function parseOptions(args) {
  const given = parse(args);
  const workers = integer('workers', given.workers);
  const redis = redisOf(given.redis);
  const processes = integer('processes', given.processes);
  if (given.chaos && workers === 0 && processes === 0 && redis !== 'spawn') {
    throw new BadArgument('--chaos needs --workers, --processes, or --redis spawn');
  }
  if (processes > 0) {
    if (redis === undefined) throw new BadArgument('--processes needs --redis');
    for (const name of /** @type {const} */ (['workers', 'dashboard'])) {
      if (given[name] !== undefined) throw new BadArgument(`--processes and --${name} do not go together`);
    }
  }
  if (redis !== undefined && given.overflow !== undefined) {
    throw new BadArgument('--redis and --overflow are two ways for the same orders: give one');
  }
  return {
    redis,
    workers,
    processes,
    chaos: given.chaos ?? false,
    requests: integer('requests', given.requests),
    users: integer('users', given.users),
    connections: integer('connections', given.connections),
    json: given.json ?? false,
    serve: given.serve ?? false,
    dashboard: given.dashboard ?? false,
    overflow: given.overflow,
    load: given.serve !== true || given.requests !== undefined,
    help: given.help ?? false,
  };
}

/** @param {string[]} args */
function parse(args) {
  try {
    return parseArgs({
      args,
      strict: true,
      allowPositionals: false,
      options: {
        requests: { type: 'string' },
        users: { type: 'string' },
        connections: { type: 'string' },
        workers: { type: 'string' },
        processes: { type: 'string' },
        redis: { type: 'string' },
        chaos: { type: 'boolean' },
        json: { type: 'boolean' },
        serve: { type: 'boolean' },
        dashboard: { type: 'boolean' },
        overflow: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new BadArgument(/** @type {Error} */ (error).message);
  }
}

/** @param {string | undefined} text */
function redisOf(text) {
  if (text === undefined || text === 'spawn' || /^rediss?:\/\/./.test(text)) return text;
  throw new BadArgument(
    `--redis must be 'spawn' or a URL that begins with redis:// or rediss://, got '${text}'`,
  );
}

/**
 * @param {keyof typeof RANGES} name
 * @param {string | undefined} text
 */
function integer(name, text) {
  if (text === undefined) return DEFAULTS[name];
  const { min, max } = RANGES[name];
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new BadArgument(`--${name} must be a whole number from ${min} to ${max}, got '${text}'`);
  }
  return value;
}
