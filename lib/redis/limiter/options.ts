import { copiedList, Options, optionError } from '../../input/index.js';
import { costMax, keysMax, limiterLimits, type SlidingWindow } from '../../limiter/index.js';
import { checkedPort, type RedisPort } from '../client/index.js';
import type { Tiers } from './limit-script.js';
import { LimiterKeys } from './limiter-keys.js';

/** How a `RedisLimiter` leases tokens: see `RedisLimiterOptions.lease`. */
export interface TokenLeaseOptions {
  /** The most tokens of one lease: 1 to 1,000,000. Default: 1,000. */
  readonly maxTokens?: number | undefined;
  /** How long a lease lasts at most, in milliseconds: 2 to 10,000. Default: 100. */
  readonly ttlMs?: number | undefined;
}

/** The options of `RedisLimiter.open`. At least one of `tokenBucket` and `slidingWindow` is needed. */
export interface RedisLimiterOptions {
  /** What `nodeRedis` or `ioRedis` returned. The limiter opens a connection of its own from it. */
  readonly redis: RedisPort;
  /**
   * The beginning of its keys, such as 'shop': 1 to 128 characters, none of them a brace, space or control character.
   */
  readonly prefix: string;
  /**
   * The name of the limit: 1 to 64 letters, digits, '.', '_' and '-'. All processes that share the limit have the same
   * prefix, name and limits.
   */
  readonly name: string;
  /** As of `LimiterOptions`, without `warmUpMs`. */
  readonly tokenBucket?:
    | {
        /** Tokens that come back each second: 1 / 31,622,400 to 10,000,000. */
        readonly ratePerSecond: number;
        /** The most tokens that there can be: 1 to 2^32 - 1. */
        readonly burst: number;
      }
    | undefined;
  /**
   * As of `LimiterOptions`, with 1 to 100 `buckets` (default 20), without `exact` and calendar windows. A list of 1 to
   * 4 windows: a request must fit in all of them.
   */
  readonly slidingWindow?: RedisWindow | readonly RedisWindow[] | undefined;
  /**
   * One limit for each key instead of one for all. The server has a state for each key that owes something. `max`: for
   * how many keys this process remembers leases and refusals, 1 to 10,000,000; default 10,000.
   */
  readonly keys?:
    | {
        /** For how many keys this process remembers leases and refusals: 1 to 10,000,000. Default: 10,000. */
        readonly max?: number | undefined;
      }
    | undefined;
  /**
   * Leases tokens in advance for keys in steady demand, so that most requests need no call. A lease ends with the
   * running bucket of each window, after `ttlMs`, or when an eighth of the `burst` has accrued, whichever is first, and
   * takes at most half of what is left. While tokens are leased, `ratePerSecond` times the length of the lease is kept
   * back from the burst. Default: false, no leases.
   */
  readonly lease?: TokenLeaseOptions | false | undefined;
  /** False: a dry run, which decides and counts but allows everything. Default: true. */
  readonly enforce?: boolean | undefined;
  /** How long a call waits for the server, in milliseconds: 1 to 60,000. Default: 1,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * The most requests that wait for the server: 1 to 1,000,000. More are refused as 'unavailable' at once. Default:
   * 10,000.
   */
  readonly maxWaiting?: number | undefined;
}

/** A window of a `RedisLimiter`. */
export type RedisWindow = Pick<SlidingWindow, 'limit' | 'windowMs' | 'buckets'>;

/** The checked options of a `RedisLimiter`. */
export interface Checked extends Tiers {
  readonly redis: RedisPort;
  readonly names: LimiterKeys;
  readonly keyed: boolean;
  readonly keysMax: number;
  /** No tokens: no leases. */
  readonly lease: { readonly tokens: number; readonly ms: number };
  readonly enforce: boolean;
  readonly timeoutMs: number;
  readonly maxWaiting: number;
}

const known = [
  ...['redis', 'prefix', 'name', 'tokenBucket', 'slidingWindow', 'keys', 'lease', 'enforce'],
  ...['timeoutMs', 'maxWaiting'],
];
const bucketsMax = 100;

export function checkedOptions(where: string, options: RedisLimiterOptions): Checked {
  const given = new Options(where, options, known);
  const redis = checkedPort(where, given.get('redis'));
  const names = new LimiterKeys(where, given.get('prefix'), given.get('name'));
  const bucket = given.nested('tokenBucket', ['ratePerSecond', 'burst']);
  const windows = windowsOf(where, given.get('slidingWindow'));
  if (bucket === undefined && windows.length === 0) {
    throw optionError(where, 'at least one of tokenBucket, slidingWindow', options, true);
  }
  const keys = given.nested('keys', ['max']);
  const lease = given.get('lease') === false ? undefined : given.nested('lease', ['maxTokens', 'ttlMs']);
  return {
    redis,
    names,
    tokenBucket: bucket && {
      ratePerSecond: bucket.number('ratePerSecond', limiterLimits.rateMin, limiterLimits.rate),
      burst: bucket.integer('burst', 1, costMax),
    },
    windows,
    keyed: keys !== undefined,
    keysMax: keys?.integer('max', 1, keysMax, 10_000) ?? 1,
    lease:
      lease === undefined
        ? { tokens: 0, ms: 0 }
        : {
            tokens: lease.integer('maxTokens', 1, 1_000_000, 1_000),
            ms: lease.number('ttlMs', 2, 10_000, 100),
          },
    enforce: given.boolean('enforce', true),
    timeoutMs: given.number('timeoutMs', 1, 60_000, 1_000),
    maxWaiting: given.integer('maxWaiting', 1, 1_000_000, 10_000),
  };
}

function windowsOf(where: string, given: unknown): Tiers['windows'] {
  const name = `${where}: slidingWindow`;
  if (given === undefined) return [];
  if (!Array.isArray(given)) return [windowOf(name, given)];
  const list = copiedList(given, 1, limiterLimits.windows);
  if (list === undefined) {
    const expected = `a window, or a list of 1 to ${limiterLimits.windows}`;
    throw optionError(name, expected, given, given.length === 0);
  }
  return list.map((one, i) => {
    if (one === undefined) throw optionError(`${name}[${i}]`, 'an object of options', one, true);
    return windowOf(`${name}[${i}]`, one);
  });
}

function windowOf(name: string, given: unknown): Tiers['windows'][number] {
  const window = new Options(name, given, ['limit', 'windowMs', 'buckets']);
  return {
    limit: window.integer('limit', 1, limiterLimits.windowLimit),
    windowMs: window.number('windowMs', 1, limiterLimits.windowMs),
    buckets: window.integer('buckets', 1, bucketsMax, 20),
  };
}
