import { type Options, optionError } from '../input/index.js';
import { type Denied, type Key, keysMax, Limiter, type Tier } from '../limiter/index.js';

export interface BlockOptions {
  /**
   * The limiter blocks a key for `forMs` after it was refused `afterRefusals` times (1 to 10,000) within `withinMs`
   * (both 1 to 86,400,000). The limiter must have keys. `limiter.reset(key)` ends the block. Only refusals by token
   * bucket, window and depth count, and none of an oversized cost or during a block. Each middleware remembers the
   * refusals of at most `maxKeys` keys (1 to 10,000,000; default 10,000), as a limiter remembers keys. The refusals are
   * counted by the machine's clock, whatever clock the limiter has.
   */
  readonly block?:
    | {
        /** After how many refusals: 1 to 10,000. */
        readonly afterRefusals: number;
        /** Within how many milliseconds: 1 to 86,400,000. */
        readonly withinMs: number;
        /** How long the block lasts, in milliseconds: 1 to 86,400,000. */
        readonly forMs: number;
        /** Of how many keys the refusals are remembered: 1 to 10,000,000. Default: 10,000. */
        readonly maxKeys?: number | undefined;
      }
    | undefined;
}

const dayMs = 86_400_000;
/** The tiers whose refusals count. A key does not cause the server's overload, and a block must not extend itself. */
const counted: readonly Tier[] = ['token-bucket', 'sliding-window', 'queue-depth'];

/**
 * Blocks keys that are refused too often. A limiter of its own counts the refusals, so a flood of keys takes no further
 * memory.
 */
export class Blocker {
  readonly #counts: Limiter;
  readonly #forMs: number;

  constructor(given: Options) {
    const limit = given.integer('afterRefusals', 1, 10_000);
    const windowMs = given.number('withinMs', 1, dayMs);
    this.#forMs = given.number('forMs', 1, dayMs);
    const max = given.integer('maxKeys', 1, keysMax, 10_000);
    this.#counts = Limiter.create({ slidingWindow: { limit, windowMs }, keys: { max } });
  }

  /**
   * Counts a refusal, and blocks its key if the count has reached `afterRefusals`. Returns the length of the block in
   * milliseconds, or 0.
   */
  refused(limiters: readonly Limiter[], key: Key | undefined, { tier, oversized }: Denied): number {
    if (key === undefined || oversized || !counted.includes(tier)) return 0;
    const decision = this.#counts.tryAcquire({ key });
    if (decision.allowed && decision.remaining > 0) return 0;
    this.#counts.reset(key);
    let blocked = false;
    for (const limiter of limiters) blocked = limiter.block(key, this.#forMs) || blocked;
    return blocked ? this.#forMs : 0;
  }
}

/** The option `block`. @throws TypeError, RangeError (`ERR_SLUICE_OPTION`). */
export function blockOption(
  where: string,
  given: Options,
  limiters: readonly unknown[],
): Blocker | undefined {
  const block = given.nested('block', ['afterRefusals', 'withinMs', 'forMs', 'maxKeys']);
  if (block === undefined) return undefined;
  if (limiters.some((one) => one instanceof Limiter && !one.keyed)) {
    const expected = 'undefined (the limiter has no keys: a block would block all clients)';
    throw optionError(`${where}: block`, expected, given.get('block'), true);
  }
  return new Blocker(block);
}
