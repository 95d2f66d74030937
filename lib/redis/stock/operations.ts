import type { Buffer } from 'node:buffer';
import { SluiceError } from '../../input/index.js';
import type { CartLine, LedgerKey } from '../../stock/index.js';
import { redisError, text } from '../client/index.js';
import { keyText, skuKey } from './keys.js';

/** A value of an operation, as JSON has it. */
export type Value = string | number | readonly Value[];

/** What the server has answered to an operation: the name of what came of it, then details. */
export type Answer = readonly unknown[];

/**
 * Where the units of an order are: 'lease', kept in the present lease; 'lost', they were kept in an earlier one;
 * 'pool', nowhere yet.
 */
export type Place = 'lease' | 'lost' | 'pool';

/** What goes along with the operations of a call. Both functions return a number from 1 on; 0 means none. */
export interface Sending {
  /** Adds a stream to the keys. */
  stream(key: string): number;
  /** Adds bytes to the arguments. */
  bytes(bytes: Buffer): number;
}

/** One thing that a member wants of the server. It is carried out once, however often it is sent. */
export interface Operation {
  /** Called before each sending, for what must be sent beside it. */
  prepare?(): void;
  /** Returns its name and its values. */
  values(sending: Sending): readonly Value[];
  /** Whether this is an answer that the script gives to it. */
  isAnswer(answer: Answer): boolean;
  /**
   * Called with the answer of the server. Returns whether a server that has lost the operation must get it again. It
   * may come after `late`.
   */
  settled(answer: Answer): boolean;
  /**
   * Called for the answer to a repetition, which a server got that had lost the operation. Returns whether the
   * operation stands: then a server that loses it once more must get it again.
   */
  repeated(answer: Answer): boolean;
  /** Called when no answer came in time. `isSent`: it may have been carried out, or be so later. */
  late(isSent: boolean): void;
  /** Called when the server refuses calls for good. `isSent`: it may have been carried out by an earlier call. */
  failed(error: Error, isSent: boolean): void;
}

/** The record of an order, for the stream of a gate. */
export interface StreamEntry {
  readonly stream: string;
  readonly maxLength: number;
  readonly schema: string;
  readonly id: string;
  readonly body: Buffer;
}

/** A request to the stock, checked. */
export interface Request {
  readonly lines: readonly CartLine[];
  readonly user: LedgerKey | undefined;
  readonly id: LedgerKey | undefined;
  readonly holdMs: number;
  readonly isCart: boolean;
  readonly entry: StreamEntry | undefined;
}

const places: Readonly<Record<Place, string>> = { lease: 'l', lost: 'o', pool: 'p' };

/** Returns the name and the values of an order. */
export function orderValues(
  request: Request,
  place: Place,
  reservation: bigint,
  digest: string,
  sending: Sending,
): Value[] {
  const { entry } = request;
  return [
    ...[
      'r',
      places[place],
      entry === undefined ? 'd' : 'g',
      String(reservation),
      keyText(request.id),
      digest,
    ],
    ...[keyText(request.user), Math.round(request.holdMs)],
    request.lines.flatMap(({ sku, quantity }) => [skuKey(sku), quantity]),
    ...(entry === undefined
      ? [0]
      : [sending.stream(entry.stream), entry.maxLength, entry.schema, entry.id, sending.bytes(entry.body)]),
  ];
}

/** What the script answers to operations that have changed something, unless it answers how many units. */
const changes: ReadonlySet<string> = new Set(['confirmed', 'cancelled', 'extended', 'done', 'added']);

/** An operation with values that stay as they are, and the promise of its answer. */
export class Call implements Operation {
  readonly answer: Promise<Answer>;
  readonly #what: string;
  #given: readonly Value[];
  readonly #repeated: (did: string) => void;
  #resolve!: (answer: Answer) => void;
  #reject!: (error: Error) => void;

  /**
   * `what` names the method in errors. `repeated` is called with what a repetition has done, which a server got that
   * had lost the operation.
   */
  constructor(what: string, given: readonly Value[], repeated: (did: string) => void = () => {}) {
    this.#what = what;
    this.#given = given;
    this.#repeated = repeated;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  values(): readonly Value[] {
    return this.#given;
  }

  isAnswer(answer: Answer): boolean {
    return text(answer[0]) !== '';
  }

  settled(answer: Answer): boolean {
    this.#resolve(answer);
    const did = text(answer[0]);
    const [name, sku] = this.#given;
    // Of the units that were to be taken off sale, those that were taken are taken again, and no more.
    if (name === 'w' && sku !== undefined) this.#given = [name, sku, Number(did)];
    // An answer that nothing was changed stays true: the hold that was over must not be confirmed by a repetition.
    return changes.has(did) || Number(did) > 0;
  }

  repeated(answer: Answer): boolean {
    const did = text(answer[0]);
    this.#repeated(did);
    return changes.has(did.replace('already-', '')) || Number(did) > 0;
  }

  late(isSent: boolean): void {
    const happened = isSent ? 'it may have been carried out, or not' : 'it was not carried out';
    this.#reject(new SluiceError('ERR_SLUICE_TIMEOUT', `${this.#what}: no answer in time; ${happened}`));
  }

  failed(error: Error): void {
    this.#reject(redisError(this.#what, error));
  }
}
