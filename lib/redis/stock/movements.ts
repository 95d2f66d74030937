import { Options, optionError } from '../../input/index.js';
import type { Movement } from '../../stock/index.js';
import {
  countsIn,
  entryOf,
  list,
  listInJson,
  noReply,
  type Reader,
  redisError,
  sleep,
  text,
} from '../client/index.js';
import { keyOf, skuOf } from './keys.js';
import type { Plan } from './options.js';

/** A change of the stock of a sale. */
export interface RedisMovement extends Omit<Movement, 'position' | 'timeMs' | 'kind'> {
  /** What happened: see `Movement`. */
  readonly kind: Exclude<Movement['kind'], 'returned' | 'reversed'>;
  /** Where it stands in the stream. */
  readonly position: string;
  /** When it happened, in milliseconds since 1970 by the server's clock. */
  readonly timeMs: number;
}

const kinds = /^(?:added|restocked|withdrawn|closed|reopened|reserved|confirmed|cancelled|expired)$/;
/** The id of an entry, and which of its movements. */
const place = /^\d{1,19}-\d{1,19}\.\d{1,6}$/;
const pageMax = 32;
const pollMs = 100;
const where = 'RedisStock.movements';

/** See `RedisStock.movements`. Checks the options at once. */
export function movementsOf(
  plan: Plan,
  reader: Reader,
  options: unknown,
  isOver: () => boolean,
): AsyncGenerator<RedisMovement, void, undefined> {
  const given = new Options(where, options, ['from', 'signal']);
  const signal = given.signal();
  const from = given.get('from') ?? '0-0.0';
  if (typeof from !== 'string' || !place.test(from)) {
    throw optionError(`${where}: from`, 'the position of a movement', from, typeof from !== 'string');
  }
  if (plan.movements === 0) throw optionError(where, 'a stock that keeps movements', 0, false);
  return read(plan.keys.movements, reader, from, signal, isOver);
}

async function* read(
  stream: string,
  reader: Reader,
  from: string,
  signal: AbortSignal | undefined,
  isOver: () => boolean,
): AsyncGenerator<RedisMovement, void, undefined> {
  for (let [last = '', seen = ''] = from.split('.'); ; ) {
    signal?.throwIfAborted();
    let page: readonly unknown[];
    let movements: RedisMovement[];
    try {
      // From the last entry on: it may have been read in part.
      const command = ['XRANGE', stream, last, '+', 'COUNT', String(pageMax)];
      page = await reader.read((port) => port.send(command), list);
      movements = page.flatMap((entry) => movementsIn(entry));
    } catch (error) {
      if (isOver()) return;
      throw redisError(where, error);
    }
    const isNew = ({ position }: RedisMovement): boolean => {
      const [entry = '', index] = position.split('.');
      return entry !== last || Number(index) > Number(seen);
    };
    const news = last === '0-0' ? movements : movements.filter(isNew);
    for (const movement of news) {
      yield movement;
      signal?.throwIfAborted();
    }
    [last = '', seen = ''] = news.at(-1)?.position.split('.') ?? [last, seen];
    if (news.length > 0) continue;
    if (isOver()) return;
    await sleep(pollMs, signal ?? new AbortController().signal);
  }
}

/** Returns the movements of an entry of the stream. @throws the error of `noReply`. */
function movementsIn(entry: unknown): RedisMovement[] {
  const [id, fields] = entryOf(entry);
  const [name, movements] = list(fields);
  if (text(name) !== 'movements') throw noReply('movements');
  return listInJson(movements).map((one, i) => movementOf(`${text(id)}.${i}`, list(one)));
}

function movementOf(position: string, values: readonly unknown[]): RedisMovement {
  const [kind = '', sku = '', , reservation = '', user = ''] = values.map(text);
  const [quantity] = countsIn([values[2]], 1) as [number];
  const isMovement =
    values.length === 5 &&
    kinds.test(kind) &&
    /^[nt]./s.test(sku) &&
    /^\d{0,20}$/.test(reservation) &&
    place.test(position);
  if (!isMovement) throw noReply('movements');
  return {
    ...{ kind: kind as RedisMovement['kind'], position, sku: skuOf(sku), quantity },
    timeMs: Number(position.split('-')[0]),
    ...(reservation === '' ? {} : { reservation: BigInt(reservation) }),
    ...(user === '' ? {} : { user: keyOf(user) as bigint | string }),
  };
}
