import { setTimeout as delay } from 'node:timers/promises';
import {
  byNumber,
  DISPOSED,
  movementKinds,
  type NativeMovement,
  type NativeStock,
} from '../binding/index.js';
import { Options, optionError } from '../input/index.js';
import { withJson } from '../json.js';

/**
 * A change of stock: see `Stock.movements`. In JSON its bigints are decimal strings; a user up to 2^53 - 1 is a number.
 */
export interface Movement {
  /** What happened. */
  readonly kind: /** An item was added, with its first units. */
    | 'added'
    | 'restocked'
    | 'withdrawn'
    /** The item was closed: no more units of it can be reserved. */
    | 'closed'
    /** The item was reopened: units of it can be reserved again. */
    | 'reopened'
    /** Also units that `Stock.change` has added to a reservation. */
    | 'reserved'
    | 'confirmed'
    /** Also units that `Stock.change` has put back. */
    | 'cancelled'
    | 'expired'
    /** Units went back on sale: the rest of a reservation, when a part of it was confirmed. */
    | 'returned'
    /** Units that had been bought are on sale again: see `Stock.return`. */
    | 'reversed';
  /** Counts movements from 0, over all threads, without gaps. */
  readonly position: number;
  /** The item. */
  readonly sku: number | string;
  /**
   * How many units. Units of a reservation that came from several shards of their item are reported in parts, one for
   * each shard.
   */
  readonly quantity: number;
  /** When it happened, in milliseconds of the ledger's clock: of `process.hrtime()`, or of its manual clock. */
  readonly timeMs: number;
  /** The reservation, if the movement belongs to one. */
  readonly reservation?: bigint;
  /** The user of the reservation, if one was given: a text, or a bigint for a number. */
  readonly user?: bigint | string;
}

/** Movements that were overwritten before they were read. */
export interface LostMovements {
  /** Distinguishes it from a `Movement`. */
  readonly kind: 'lost';
  /** How many movements were lost. */
  readonly count: number;
}

const kinds: readonly (Movement['kind'] | undefined)[] = byNumber(
  movementKinds satisfies Record<Movement['kind'], number>,
);
const notYet = 0;

/** The interval, in milliseconds, at which a reader that has read everything looks again. */
const pollMs = 10;
/** How many movements are read before the event loop gets a turn. */
const runMax = 256;

/** See `Stock.movements`. Checks the options at once, and reads movements as the result is iterated. */
export function readMovements(
  stock: NativeStock,
  options: unknown,
): AsyncGenerator<Movement | LostMovements, void, undefined> {
  const where = 'Stock.movements';
  const given = new Options(where, options, ['from', 'signal']);
  if (!stock.keepsMovements) {
    throw optionError(where, 'a ledger that was created with room for some', 'movements: 0', true);
  }
  const end = Math.max(0, stock.endOfMovements());
  const from = given.has('from') ? given.integer('from', 0, end) : undefined;
  return movements(stock, from, given.signal());
}

async function* movements(
  stock: NativeStock,
  from: number | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Movement | LostMovements, void, undefined> {
  let position = from ?? stock.oldestMovement();
  for (let run = 1; position !== DISPOSED; run++) {
    signal?.throwIfAborted();
    const answer = stock.readMovement(position);
    if (answer === DISPOSED) return;
    if (answer === notYet || run % runMax === 0) await pause(answer === notYet ? pollMs : 0, signal);
    if (answer === notYet) continue;
    if (typeof answer === 'number') {
      const oldest = stock.oldestMovement();
      if (oldest === DISPOSED) return;
      const count = oldest - position;
      position = oldest;
      yield { kind: 'lost', count };
    } else {
      yield movement(answer, position++);
    }
  }
}

/** Waits without keeping the process alive: a program that only waits for more movements can end. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(ms, undefined, { ref: false, signal }).catch(() => {}); // aborted
  signal?.throwIfAborted();
}

const MovementAnswer = withJson(
  class {
    constructor(movement: Movement) {
      Object.assign(this, movement);
    }
  },
);

function movement({ kind, ...rest }: NativeMovement, position: number): Movement {
  return new MovementAnswer({ kind: kinds[kind] as Movement['kind'], position, ...rest }) as Movement;
}
