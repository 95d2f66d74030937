import { Options, optionError } from '../../input/index.js';
import { checkedKey, checkedReservation, type ReservationState, textMax } from '../../stock/index.js';
import { countsIn, list, noReply, text } from '../client/index.js';
import { keyOf, keyText, skuOf } from './keys.js';

/** A reservation as the server knows it. */
export interface FoundOnRedis {
  /** Names the reservation. */
  readonly reservation: bigint;
  /** The state of the reservation. From its deadline on, a reservation that is held has the state 'expired'. */
  readonly state: Exclude<ReservationState, 'unknown'>;
  /** The time left of its hold, in milliseconds; 0 if it is not held. */
  readonly expiresInMs: number;
  /** The user, if one was given: a text, or a bigint for a number. */
  readonly user?: bigint | string;
  /** The client's id, if there was one: a text, or a bigint for a number. */
  readonly id?: bigint | string;
  /** Its items, and how many units of each it holds, or held until it ended. */
  readonly lines: ReadonlyArray<{
    /** The item. */
    readonly sku: number | string;
    /** The units that are, or were, held. */
    readonly quantity: number;
  }>;
}

/** Returns the arguments of `findReservation`. */
export function idOf(where: string, by: unknown): [kind: string, which: string] {
  const given = new Options(where, by, ['reservation', 'id']);
  if (given.has('reservation') === given.has('id')) {
    throw optionError(where, 'one of reservation and id', by, true);
  }
  return given.has('id')
    ? ['id', keyText(checkedKey(`${where}: id`, given.get('id'), textMax.id))]
    : ['reservation', String(checkedReservation(`${where}: reservation`, given.get('reservation')))];
}

/** @throws the error of `noReply`. */
export function foundOf(reply: unknown): FoundOnRedis | undefined {
  const given = list(reply);
  if (given.length === 0) return undefined;
  const [reservation, state, , user, id] = given.map(text) as [string, string, string, string, string];
  const isState = /^(?:held|confirmed|cancelled|expired)$/.test(state);
  if (given.length < 7 || given.length % 2 === 0 || !/^\d+$/.test(reservation) || !isState)
    throw noReply('a reservation');
  const [left] = countsIn([given[2]], 1) as [number];
  const lines = [];
  for (let i = 5; i < given.length; i += 2) {
    const [quantity] = countsIn([given[i + 1]], 1) as [number];
    lines.push({ sku: skuOf(text(given[i])), quantity });
  }
  return {
    ...{ reservation: BigInt(reservation), state: state as FoundOnRedis['state'], expiresInMs: left },
    ...(user === '' ? {} : { user: keyOf(user) as bigint | string }),
    ...(id === '' ? {} : { id: keyOf(id) as bigint | string }),
    lines,
  };
}
