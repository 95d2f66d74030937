import {
  type RedisAdmission,
  RedisGate,
  type RedisGateOptions,
  type RedisPort,
  RedisQueue,
  type RedisStock,
  type RedisStockOptions,
  RedisWorkers,
  type RedisWorkersOptions,
} from 'sluice/redis';
import { fields, Order } from '../../gate/order.js';
import { newSale, openSale } from '../stock/sales.js';

export type OneOrder = ReturnType<typeof import('../../gate/order.js').order>;

/** A sale on a server: its stock, its stream and a gate over them. */
export interface Counter {
  readonly redis: RedisPort;
  readonly sale: string;
  readonly stream: string;
  readonly stock: RedisStock;
  readonly queue: RedisQueue<OneOrder>;
  readonly gate: RedisGate<OneOrder>;
  /** How many entries the stream has. */
  depth(): Promise<number>;
  /** Workers in a hurry, which decide the orders of the gate. */
  cashiers(more?: Partial<RedisWorkersOptions<OneOrder>>): RedisWorkers<OneOrder>;
}

export type CounterOptions = Partial<RedisStockOptions> &
  Pick<RedisStockOptions, 'items'> &
  Partial<Pick<RedisGateOptions<OneOrder>, 'limiter' | 'fields'>> & { readonly maxLength?: number };

/** Opens a sale, or takes part in one. */
export async function openCounter(
  redis: RedisPort,
  { limiter, fields: own = fields, maxLength = 1_000, ...more }: CounterOptions,
): Promise<Counter> {
  const sale = more.sale ?? newSale();
  const stock = await openSale(0, { redis, ...more, sale });
  const stream = `test:{${sale}}:orders`;
  const queue = new RedisQueue({ redis, stream, record: Order, id: 'id', maxLength });
  const gate = RedisGate.create<OneOrder>({ stock, queue, fields: own, ...(limiter && { limiter }) });
  return {
    ...{ redis, sale, stream, stock, queue, gate },
    depth: () => queue.depth(),
    cashiers: (options) =>
      new RedisWorkers({
        ...{ redis, stream, record: Order, group: 'cashiers', stock },
        ...{ blockMs: 100, claimIdleMs: 2_000, patrolMs: 30, backoff: { baseMs: 5, maxMs: 50 } },
        ...options,
      }),
  };
}

/** The reservation of an answer that must have one. */
export function reservationOf(admission: RedisAdmission | { readonly outcome: string }): bigint {
  if ('reservation' in admission && typeof admission.reservation === 'bigint') return admission.reservation;
  throw new Error(`no reservation: ${admission.outcome}`);
}

/** Starts a run, and returns what ends it and waits for its end. */
export function runOf(
  workers: RedisWorkers<OneOrder>,
  handler: Parameters<RedisWorkers<OneOrder>['run']>[0],
  options: Omit<NonNullable<Parameters<RedisWorkers<OneOrder>['run']>[1]>, 'signal'> = {},
): { end(): Promise<unknown> } {
  const controller = new AbortController();
  const ended = workers.run(handler, { ...options, signal: controller.signal }).then(
    () => undefined,
    (error: unknown) => error,
  );
  return {
    end() {
      controller.abort('the test ends');
      return ended;
    },
  };
}
