import { Options, optionError } from '../../input/index.js';
import type { Movement } from '../../stock/index.js';
import {
  countsIn,
  entryOf,
  list,
  mapOf,
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
  /** Where it stands in the stream: the id of its entry. */
  readonly position: string;
  /** When it happened, in milliseconds since 1970 by the server's clock. */
  readonly timeMs: number;
}

const kinds = /^(?:added|restocked|withdrawn|closed|reopened|reserved|confirmed|cancelled|expired)$/;
const pageMax = 256;
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
  const from = given.get('from') ?? '0';
  if (typeof from !== 'string' || !/^\d{1,19}(?:-\d{1,19})?$/.test(from)) {
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
  for (let last = from; ; ) {
    signal?.throwIfAborted();
    let page: RedisMovement[];
    try {
      const command = ['XRANGE', stream, `(${last}`, '+', 'COUNT', String(pageMax)];
      page = await reader.read(
        (port) => port.send(command),
        (reply) => list(reply).map((entry) => movementOf(entry)),
      );
    } catch (error) {
      throw redisError(where, error);
    }
    for (const movement of page) {
      yield movement;
      signal?.throwIfAborted();
    }
    last = page.at(-1)?.position ?? last;
    if (page.length > 0) continue;
    if (isOver()) return;
    await sleep(pollMs, signal ?? new AbortController().signal);
  }
}

/** @throws the error of `noReply`. */
function movementOf(entry: unknown): RedisMovement {
  const [id, fields] = entryOf(entry);
  const position = text(id);
  const facts = mapOf(fields);
  const [kind, sku, reservation, user] = ['kind', 'sku', 'reservation', 'user'].map((name) =>
    text(facts.get(name) ?? ''),
  ) as [string, string, string, string];
  const [quantity] = countsIn([facts.get('quantity')], 1) as [number];
  const isMovement =
    kinds.test(kind) && /^[nt]./.test(sku) && /^\d*$/.test(reservation) && /^\d+-\d+$/.test(position);
  if (!isMovement) throw noReply('a movement');
  return {
    ...{ kind: kind as RedisMovement['kind'], position, sku: skuOf(sku), quantity },
    timeMs: Number(position.split('-')[0]),
    ...(reservation === '' ? {} : { reservation: BigInt(reservation) }),
    ...(user === '' ? {} : { user: keyOf(user) as bigint | string }),
  };
}
