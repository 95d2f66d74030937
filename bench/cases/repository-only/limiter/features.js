/**
 * The features of the limiters, read from their documentation and source at the versions below; none is measured.
 * golang.org/x/time/rate is a library of another language, and was only read (rate/rate.go of its main branch, 2026).
 */
import { readFileSync } from 'node:fs';

/** The exact versions that are installed. @type {Record<string, string>} */
const installed = JSON.parse(
  readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8'),
).devDependencies;

/** @type {Array<{ name: string, read: string | undefined }>} */
const columns = [
  { name: 'sluice', read: undefined },
  { name: 'rate-limiter-flexible', read: '11.4.0' },
  { name: 'express-rate-limit', read: '8.7.4' },
  { name: '@fastify/rate-limit', read: '11.2.0' },
  { name: 'bottleneck', read: '2.19.5' },
  { name: 'limiter', read: '4.1.0' },
  { name: 'x/time/rate (Go)', read: undefined },
];

/** @type {string[][]} */
const rows = [
  [
    'algorithm',
    'bucket, strict window, exact log, depth: one step',
    'fixed window',
    'fixed window',
    'fixed window',
    'reservoir, spacing, concurrency',
    'token bucket',
    'token bucket',
  ],
  [
    'shared by worker threads',
    'yes, in memory',
    'through a store',
    'through a store',
    'through a store',
    'through Redis',
    'no',
    'goroutines: yes',
  ],
  ['cost of a request', 'yes', 'yes', 'no', 'no', 'yes', 'yes', 'yes'],
  [
    'a refusal charges nothing',
    'yes',
    'no: counts on; a union keeps what it took',
    'no: counts on',
    'no: counts on',
    'yes',
    'yes, parents too',
    'yes',
  ],
  [
    'memory of many keys',
    'bounded; no key is locked out; keys that owe are kept, guests until the ring comes round',
    'unbounded, a timer each',
    'unbounded, two generations',
    'LRU: a flood frees what owes',
    'groups, 5 min idle',
    'no keys',
    'no keys',
  ],
  [
    'waiting: order, deadline, abort',
    'over all threads; fails at once; refunds',
    'queue of one process; none; none',
    'none',
    'none',
    'priorities; none; none',
    'in order; none; none',
    'in order; fails at once; refunds',
  ],
  ['bound on waits', 'yes', 'yes', '-', '-', 'yes', 'no', 'no'],
  [
    'changed at run time',
    'all threads at once, state kept',
    'points of one process',
    'by a function',
    'by a function',
    'yes',
    'no',
    'yes, state kept',
  ],
  ['dry run', 'yes', 'no', 'no', 'by a hook', 'no', 'no', 'no'],
  ['warm-up', 'yes', 'no', 'no', 'no', 'no', 'no', 'no'],
  ['overload', 'event loop, wait of a queue', 'no', 'no', 'no', 'no', 'no', 'no'],
  ['clock', 'monotonic', 'wall', 'wall', 'wall', 'wall', 'monotonic', 'monotonic'],
  [
    'header fields',
    'draft-6 to 11, X-RateLimit, Retry-After',
    'none',
    'draft-6 to 8, X-RateLimit, Retry-After',
    'draft-6, X-RateLimit, Retry-After',
    'none',
    'none',
    'none',
  ],
  ['IPv6 keys', '/56', 'address', '/56', '/64', '-', '-', '-'],
];

/** Returns the table in Markdown, and the rivals whose installed version is not the one that was read. */
export function features() {
  /** @type {string[]} */
  const outdated = [];
  const heads = columns.map(({ name, read }) => {
    if (read === undefined) return name;
    if (installed[name] !== read) outdated.push(`${name} ${installed[name]} (read: ${read})`);
    return `${name} ${read}`;
  });
  const lines = [['', ...heads], ['', ...heads].map(() => '---'), ...rows];
  return { table: lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n'), outdated };
}
