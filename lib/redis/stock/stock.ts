import { channel } from 'node:diagnostics_channel';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers';
import { constructorError, Options, optionError, SluiceError } from '../../input/index.js';
import {
  type CartLine,
  type CartOptions,
  type CheckedRequest,
  checkedCart,
  checkedReservation,
  checkedReserve,
  checkedSku,
  holdMsMax,
  type LedgerKey,
  quantityMax,
  type Reserved,
  type ReserveOptions,
  type Resolution,
} from '../../stock/index.js';
import {
  countsIn,
  list,
  noReply,
  Reader,
  type RedisPort,
  redisError,
  text,
  within,
} from '../client/index.js';
import { answerOf, type RedisRefused, refused } from './answers.js';
import { audited, type RedisStockAudit } from './audit.js';
import { countsOf, type RedisStockCounts } from './counts.js';
import { missing } from './durability.js';
import { type FoundOnRedis, foundOf, idOf } from './found.js';
import { checkedItem, checkedQuantity, type RedisStockItem } from './items.js';
import { keyText, skuKey } from './keys.js';
import { Known } from './known.js';
import { type Kept, Lots } from './lots.js';
import { Member, type MemberCounts } from './member.js';
import { movementsOf, type RedisMovement } from './movements.js';
import { type Answer, Call, type Request, type StreamEntry } from './operations.js';
import { checkedPlan, type Plan, type RedisStockOptions } from './options.js';
import { digestOf, Numbers, Order, type Outcome, recalledAs, type Sale } from './order.js';
import { findReservation, openSale } from './scripts.js';

/**
 * Publishes each order that was settled, that the server has lost, and for which there is no room any more:
 * `{ stock, lines, user, id, reservation }`. Also each confirmation that the server has lost, and that comes too late
 * now: of that only the reservation is known, `lines` is empty.
 */
const revocations = channel('sluice:redis:revoked');

/** What a `RedisStock` object has done. */
export interface RedisStockStats extends Readonly<MemberCounts> {
  /** Orders that were reserved. */
  readonly reserved: number;
  /** Orders that had been reserved before. */
  readonly duplicates: number;
  /** Orders that were refused, for any reason but 'unavailable'. */
  readonly refused: number;
  /** Of these, orders that this process refused without asking the server. */
  readonly refusedHere: number;
  /** Orders that were answered 'unavailable': no answer came in time, or too many calls waited. */
  readonly unavailable: number;
  /** Orders that were settled and lost: see the channel `sluice:redis:revoked`. */
  readonly revoked: number;
  /** Calls that wait for an answer. */
  readonly pending: number;
  /** Why the last command failed, if one has. */
  readonly lastFault: string | undefined;
}

/** The parts of a stock, for the gate. */
export interface StockInside {
  readonly plan: Plan;
  /** Returns a refusal that is known here; undefined if only the server knows. `isAnswer`: the id stays refused. */
  refusal(request: Request, isAnswer: boolean): ReturnType<Known['refusal']>;
  /** Whether the id is that of an order which was admitted, as far as this process has heard. */
  isAccepted(id: LedgerKey): boolean;
  /**
   * Reserves, without looking for a known refusal. `where` names the method in errors. `spared` is called as soon as it
   * is certain that nothing was reserved, which may be after the answer 'unavailable'.
   */
  settle(where: string, request: Request, spared: () => void): Promise<Outcome>;
  /** Returns what came of the request's id before; undefined if it is new. */
  recall(where: string, request: Request): Promise<Outcome | undefined>;
}
/** Returns undefined if `stock` is none of this copy of sluice. */
export let insideStock: (stock: unknown) => StockInside | undefined;

const onlyOpen = Symbol('RedisStock.open');

/**
 * The stock of one sale, on a Redis or Valkey server, for any number of processes. Each process leases blocks of units,
 * decides orders from them, and settles what it has decided in batches. The server checks every order again: nothing is
 * oversold, whatever becomes of clocks, leases and processes.
 */
export class RedisStock {
  readonly #plan: Plan;
  readonly #lots: Lots;
  readonly #known: Known;
  readonly #member: Member;
  readonly #numbers = new Numbers();
  readonly #reader: Reader;
  readonly #sale: Sale;
  readonly #counts = { reserved: 0, duplicates: 0, refused: 0, refusedHere: 0, unavailable: 0, revoked: 0 };

  /** @internal Use `RedisStock.open`. */
  constructor(by: symbol, plan: Plan) {
    if (by !== onlyOpen) throw constructorError('RedisStock', 'RedisStock.open()');
    this.#plan = plan;
    this.#lots = new Lots(plan.lease);
    this.#known = new Known(this.#lots, plan.lease?.heartbeatMs ?? 100);
    this.#member = new Member(plan, this.#lots, (id) => this.#known.accepts(id));
    this.#reader = new Reader(plan.redis, plan.keys.items, plan.timeoutMs);
    for (const { sku } of plan.items) this.#lots.add(sku);
    this.#sale = {
      lots: this.#lots,
      known: this.#known,
      release: (reservation) => this.#release(reservation),
      revoked: (request, reservation) => this.#revoked(request, reservation),
    };
  }

  static {
    insideStock = (stock) => {
      if (!(typeof stock === 'object' && stock !== null && #plan in stock)) return undefined;
      return {
        plan: stock.#plan,
        refusal: (request, isAnswer) => stock.#refusal(request, isAnswer),
        isAccepted: (id) => stock.#known.isAccepted(id),
        settle: (where, request, spared) => stock.#settle(where, request, spared),
        recall: (where, request) => stock.#recall(where, request),
      };
    };
  }

  /**
   * Takes part in a sale, and makes it if there is none. Items that the sale does not have are added.
   *
   * @param options The client, the name of the sale, its items, and how to lease and settle.
   * @returns The stock.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad option, also for an item with another `perUser`
   *   than the sale has; SluiceError `ERR_SLUICE_REDIS`, also for a sale of another version of sluice.
   * @example
   * const redisStock = await RedisStock.open({
   *   redis,
   *   prefix: 'shop',
   *   sale: 'x1',
   *   items: [{ sku: 7, quantity: 1_000, perUser: 2 }],
   * });
   */
  static async open(options: RedisStockOptions): Promise<RedisStock> {
    const where = 'RedisStock.open';
    const plan = checkedPlan(where, options);
    const items = plan.items.flatMap(({ sku, quantity, perUser }) => [skuKey(sku), quantity, perUser]);
    let limits: readonly number[] | undefined;
    try {
      const opening = openSale.run(plan.redis, plan.keys.all, [plan.movements, ...items]);
      const reply = list(await within(plan.timeoutMs, opening));
      const said = text(reply[0]);
      if (said === 'format') throw new Error(`the sale is of version ${text(reply[1])}`);
      if (said === 'foreign')
        throw new Error(
          `WRONGTYPE the key ${text(reply[1])} is of another program: it is a ${text(reply[2])}`,
        );
      if (said !== 'open' && said !== 'limit') throw noReply('what it has opened');
      if (said === 'limit') limits = countsIn(reply.slice(1), 2);
      // A server without WAITAOF, or without a file, would carry orders out and never settle one.
      await within(plan.timeoutMs, missing(plan.redis, { ...plan.durability, replicas: 0, timeoutMs: 1 }));
    } catch (error) {
      throw redisError(where, error);
    }
    if (limits !== undefined) {
      const [i, limit] = limits as [number, number];
      const expected = limit === 0 ? 'none: the sale has none' : `${limit}, as the sale has`;
      throw optionError(`${where}: items[${i}]: perUser`, expected, plan.items[i]?.perUser, false);
    }
    return new RedisStock(onlyOpen, plan);
  }

  /**
   * Reserves `quantity` units for `user`, or changes nothing and resolves to the reason. The promise is resolved when
   * the server has settled the order, or at once for a refusal that this process knows. With an `id`, a retry gets the
   * answer of the first call, on whichever machine: see `Stock.reserve`, and docs/guide/redis-sale.md for what differs.
   *
   * @param request The item, its quantity, the user, the id and the hold.
   * @returns The reservation, or the reason of the refusal.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option; SluiceError `ERR_SLUICE_REDIS`
   *   if the server refuses the command, `ERR_SLUICE_DISPOSED` after `close`.
   * @example
   * const answer = await redisStock.reserve({ sku: 7, quantity: 1, user: 42, id: 'order-1' });
   * if (answer.ok) await redisStock.confirm(answer.reservation);
   */
  async reserve(request: ReserveOptions): Promise<Reserved | RedisRefused> {
    const where = 'RedisStock.reserve';
    return await this.#reserve(where, this.#requestOf(checkedReserve(where, request)));
  }

  /**
   * Reserves all lines (1 to 64) under one reservation, or changes nothing and resolves to the reason. Lines of the
   * same item are added up first. With an `id`, a repetition must have the same sums, in any order, and the same user.
   *
   * @param lines 1 to 64 items of this sale, with their quantities.
   * @param options `user`, `id` and `holdMs`.
   * @returns The reservation, or the reason of the refusal.
   * @throws As `reserve`.
   * @example
   * const answer = await redisStock.reserveAll([{ sku: 7, quantity: 1 }, { sku: 8, quantity: 2 }], { user: 42 });
   */
  async reserveAll(lines: readonly CartLine[], options?: CartOptions): Promise<Reserved | RedisRefused> {
    const where = 'RedisStock.reserveAll';
    return await this.#reserve(where, this.#requestOf(checkedCart(where, lines, options)));
  }

  /**
   * Returns the refusal that `reserve` would resolve to, if this process knows it without asking the server; otherwise
   * undefined. It reserves nothing.
   *
   * @param request As for `reserve`.
   * @returns The refusal, or undefined.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
   * @example
   * if (redisStock.refusal({ sku: 7, quantity: 1, user: 42 }) !== undefined) response.writeHead(409).end();
   */
  refusal(request: ReserveOptions): RedisRefused | undefined {
    const checked = this.#requestOf(checkedReserve('RedisStock.refusal', request));
    const known = this.#known.refusal(checked, true);
    return known && refused(known.reason, known.line, checked.lines, false);
  }

  #requestOf(request: CheckedRequest, entry?: StreamEntry): Request {
    return { ...request, holdMs: request.holdMs ?? this.#plan.holdMs, entry };
  }

  async #reserve(where: string, request: Request): Promise<Reserved | RedisRefused> {
    const known = this.#refusal(request, true);
    if (known !== undefined) return refused(known.reason, known.line, request.lines, request.isCart);
    return answerOf(await this.#settle(where, request), request.lines, request.isCart);
  }

  #refusal(request: Request, isAnswer: boolean): ReturnType<Known['refusal']> {
    const known = this.#known.refusal(request, isAnswer);
    if (known !== undefined) {
      this.#counts.refused++;
      this.#counts.refusedHere++;
    }
    return known;
  }

  async #settle(where: string, request: Request, spared = () => {}): Promise<Outcome> {
    if (this.#member.isFull) {
      this.#counts.unavailable++;
      spared();
      return { kind: 'refused', reason: 'unavailable', line: 0 };
    }
    let kept: Kept | undefined;
    let order: Order;
    try {
      kept = this.#lots.keep(request.lines);
      order = new Order(where, this.#sale, request, this.#numbers.next(), kept, spared);
      this.#member.submit(order);
    } catch (error) {
      if (kept !== undefined) this.#lots.putBack(kept, request.lines);
      spared();
      throw error;
    }
    const outcome = await order.outcome;
    if (outcome.kind !== 'refused') this.#counts[outcome.kind === 'reserved' ? 'reserved' : 'duplicates']++;
    else this.#counts[outcome.reason === 'unavailable' ? 'unavailable' : 'refused']++;
    return outcome;
  }

  async #recall(where: string, request: Request): Promise<Outcome | undefined> {
    const answer = await this.#ask(where, 'i', keyText(request.id), digestOf(request));
    try {
      return recalledAs(answer);
    } catch (error) {
      throw redisError(where, error);
    }
  }

  /** Cancels a reservation of which no caller knows. */
  #release(reservation: bigint): void {
    const call = new Call('RedisStock', ['x', String(reservation)]);
    call.answer.catch(() => {}); // then its hold runs out
    try {
      this.#member.submit(call);
    } catch {
      // The stock is being closed: its hold runs out.
    }
  }

  #revoked({ lines, user, id }: Pick<Request, 'lines' | 'user' | 'id'>, reservation: bigint): void {
    this.#counts.revoked++;
    if (revocations.hasSubscribers) revocations.publish({ stock: this, lines, user, id, reservation });
  }

  /**
   * Sells the units that the reservation holds. Exactly one caller, on whichever machine, gets 'confirmed'.
   *
   * @param reservation The bigint of the reservation, or its decimal string.
   * @returns 'confirmed', or what the reservation had become before.
   * @throws TypeError (`ERR_SLUICE_OPTION`); SluiceError `ERR_SLUICE_TIMEOUT` if no answer came: it may be confirmed or
   *   not, ask again; `ERR_SLUICE_REDIS`, `ERR_SLUICE_WAITERS` if `maxPending` calls wait, `ERR_SLUICE_DISPOSED`.
   * @example
   * if ((await redisStock.confirm(reservation)) !== 'confirmed') await refundPayment();
   */
  async confirm(reservation: bigint | string): Promise<Resolution> {
    const where = 'RedisStock.confirm';
    const which = checkedReservation(`${where}: reservation`, reservation);
    const call = new Call(where, ['c', String(which)], (did) => {
      if (!/confirmed$/.test(did)) this.#revoked({ lines: [], user: undefined, id: undefined }, which);
    });
    return text((await this.#submit(where, call))[0]) as Resolution;
  }

  /**
   * Puts the units that the reservation holds back on sale. Exactly one caller, on whichever machine, gets 'cancelled'.
   *
   * @param reservation The bigint of the reservation, or its decimal string.
   * @returns 'cancelled', or what the reservation had become before.
   * @throws As `confirm`.
   * @example
   * await redisStock.cancel(reservation);
   */
  async cancel(reservation: bigint | string): Promise<Resolution> {
    const where = 'RedisStock.cancel';
    const which = checkedReservation(`${where}: reservation`, reservation);
    const resolution = await this.#resolution(where, 'x', which);
    this.#known.changes();
    return resolution;
  }

  /**
   * Holds the reservation for at least `ms` milliseconds from now, by the server's clock. Never shortens a hold.
   *
   * @param reservation The bigint of the reservation, or its decimal string.
   * @param ms Milliseconds from now: 1 to 86,400,000.
   * @returns 'extended', or what the reservation has become.
   * @throws As `confirm`; RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * await redisStock.extend(reservation, 60_000);
   */
  async extend(reservation: bigint | string, ms: number): Promise<Resolution> {
    const where = 'RedisStock.extend';
    const which = checkedReservation(`${where}: reservation`, reservation);
    const given = Math.round(new Options(where, { ms }, ['ms']).number('ms', 1, holdMsMax));
    return await this.#resolution(where, 'e', which, given);
  }

  async #resolution(
    where: string,
    name: string,
    reservation: bigint,
    ...more: number[]
  ): Promise<Resolution> {
    const [state] = await this.#ask(where, name, String(reservation), ...more);
    return text(state) as Resolution;
  }

  async #ask(where: string, ...given: ReadonlyArray<string | number>): Promise<Answer> {
    return await this.#submit(where, new Call(where, given));
  }

  async #submit(where: string, call: Call): Promise<Answer> {
    if (this.#member.isFull) {
      throw new SluiceError('ERR_SLUICE_WAITERS', `${where}: ${this.#plan.maxPending} calls wait already`);
    }
    this.#member.submit(call);
    return await call.answer;
  }

  /** As `#ask`, about an item. @throws RangeError if there is none. */
  async #askItem(
    where: string,
    name: string,
    sku: number | string,
    ...more: ReadonlyArray<number>
  ): Promise<Answer> {
    const checked = checkedSku(`${where}: sku`, sku);
    const answer = await this.#ask(where, name, skuKey(checked), ...more);
    if (text(answer[0]) === 'unknown-sku')
      throw optionError(`${where}: sku`, 'the sku of an item', sku, false);
    return answer;
  }

  /**
   * Expires reservations that are due, at most 1,000. This also happens by itself, some at each call of any process.
   *
   * @returns How many reservations expired.
   * @throws As `confirm`.
   * @example
   * await redisStock.expire();
   */
  async expire(): Promise<number> {
    const [count] = countsIn(await this.#ask('RedisStock.expire', 't'), 1) as [number];
    return count;
  }

  /**
   * Puts an item on sale.
   *
   * @param item The item.
   * @returns 'added' or 'sku-exists'.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`); as `confirm`.
   * @example
   * await redisStock.addItem({ sku: 9, quantity: 500 });
   */
  async addItem(item: RedisStockItem): Promise<'added' | 'sku-exists'> {
    const where = 'RedisStock.addItem';
    const { sku, quantity, perUser } = checkedItem(where, item);
    const [what] = await this.#ask(where, 'n', skuKey(sku), quantity, perUser);
    this.#lots.add(sku);
    this.#known.changes();
    return text(what) as 'added' | 'sku-exists';
  }

  /**
   * Ends the sale of an item: no more units of it are reserved ('item-closed') until `reopenItem`. Units that are held
   * can still be confirmed. When the promise is resolved, no process can settle an order of the item any more.
   *
   * @param sku The item.
   * @returns Whether there is such an item.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`); as `confirm`.
   * @example
   * await redisStock.closeItem(7);
   */
  async closeItem(sku: number | string): Promise<boolean> {
    const where = 'RedisStock.closeItem';
    return text((await this.#ask(where, 'k', skuKey(checkedSku(`${where}: sku`, sku))))[0]) === 'done';
  }

  /**
   * Resumes the sale of an item that was closed. Another process learns of it with its next heartbeat.
   *
   * @param sku The item.
   * @returns Whether there is such an item.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`); as `confirm`.
   * @example
   * await redisStock.reopenItem(7);
   */
  async reopenItem(sku: number | string): Promise<boolean> {
    const where = 'RedisStock.reopenItem';
    return text((await this.#ask(where, 'o', skuKey(checkedSku(`${where}: sku`, sku))))[0]) === 'done';
  }

  /**
   * Puts `quantity` more units of an item on sale.
   *
   * @param sku The item.
   * @param quantity Units: 1 to 4,294,967,295.
   * @returns The counts afterwards.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also if there is no such item or its total would exceed
   *   4,294,967,295; as `confirm`.
   * @example
   * const { available } = await redisStock.restock(7, 100);
   */
  async restock(sku: number | string, quantity: number): Promise<RedisStockCounts> {
    const where = 'RedisStock.restock';
    const given = checkedQuantity(where, quantity);
    const answer = await this.#askItem(where, 'a', sku, given);
    if (text(answer[0]) === 'too-many') {
      throw optionError(`${where}: quantity`, `a total of at most ${quantityMax}`, quantity, false);
    }
    return countsOf(answer.slice(1));
  }

  /**
   * Takes up to `quantity` units of an item off sale: only available units. Units that processes have leased are asked
   * back; the call waits for them as long as a lease lasts.
   *
   * @param sku The item.
   * @param quantity Units: 1 to 4,294,967,295.
   * @returns How many were taken off sale.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also if there is no such item; as `confirm`.
   * @example
   * const taken = await redisStock.withdraw(7, 100);
   */
  async withdraw(sku: number | string, quantity: number): Promise<number> {
    const where = 'RedisStock.withdraw';
    let left = checkedQuantity(where, quantity);
    const patience = performance.now() + (this.#plan.lease?.ttlMs ?? 0);
    for (;;) {
      const lot = this.#lots.get(sku);
      if (lot !== undefined) this.#lots.giveBack([lot]);
      const answer = await this.#askItem(where, 'w', sku, left);
      const [taken, , , leased] = countsIn(answer, 6) as [number, number, number, number];
      left -= taken;
      if (left === 0 || leased === 0 || performance.now() >= patience) return quantity - left;
      await new Promise((resolve) => setTimeout(resolve, this.#plan.lease?.heartbeatMs ?? 0));
    }
  }

  /**
   * Asks the server for the units of one item.
   *
   * @param sku The item.
   * @returns The counts: those of a stock of one process, and `leased`, how many of the available units are leased.
   * @throws RangeError (`ERR_SLUICE_OPTION`) if there is no such item; SluiceError `ERR_SLUICE_REDIS`,
   *   `ERR_SLUICE_DISPOSED`.
   * @example
   * const { available } = await redisStock.counts(7);
   */
  async counts(sku: number | string): Promise<RedisStockCounts> {
    const where = 'RedisStock.counts';
    const key = skuKey(checkedSku(`${where}: sku`, sku));
    const names = ['total', 'free', 'leased', 'held', 'sold'].map((name) => `${key}|${name}`);
    const command = ['HMGET', this.#plan.keys.items, ...names];
    const counts = await this.#read(
      where,
      (port) => port.send(command),
      (reply) => (list(reply).every((one) => one === null) ? undefined : countsOf(reply)),
    );
    if (counts !== undefined) return counts;
    throw optionError(`${where}: sku`, 'the sku of an item', sku, false);
  }

  /**
   * Finds a reservation by its bigint, or by the client's id for as long as the server remembers it.
   *
   * @param by One of `reservation` and `id`.
   * @returns The reservation; undefined if the server does not know it.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`); SluiceError `ERR_SLUICE_REDIS`, `ERR_SLUICE_DISPOSED`.
   * @example
   * const found = await redisStock.find({ id: 'order-1' });
   */
  async find(
    by: { readonly reservation: bigint | string } | { readonly id: LedgerKey },
  ): Promise<FoundOnRedis | undefined> {
    const where = 'RedisStock.find';
    const given = idOf(where, by);
    return await this.#read(where, (port) => findReservation.run(port, this.#plan.keys.all, given), foundOf);
  }

  /**
   * Compares all numbers of the sale with its reservations, users, ids and members. The server does nothing else
   * meanwhile: about a second for 100,000 reservations.
   *
   * @param options `maxReservations`: the most reservations to read, 1 to 1,000,000. Default: 100,000.
   * @returns The numbers of items and of held reservations.
   * @throws SluiceError `ERR_SLUICE_AUDIT` on a mismatch, or if there are more reservations; `ERR_SLUICE_REDIS`,
   *   `ERR_SLUICE_DISPOSED`.
   * @example
   * await redisStock.audit();
   */
  async audit(options?: { readonly maxReservations?: number }): Promise<RedisStockAudit> {
    this.#member.checkOpen();
    return await audited(this.#plan.keys, this.#reader, options);
  }

  /**
   * Iterates over the changes of the sale, by all processes, oldest first, as far back as the server keeps them (see
   * the option `movements`), then over those to come. It ends when the stock is closed. A reader looks for new ones ten
   * times a second.
   *
   * @param options `from`, the position of the last movement that is known; and `signal`.
   * @returns An asynchronous iterator over the movements.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`), also if the stock was opened with `movements: 0`; SluiceError
   *   `ERR_SLUICE_REDIS`, `ERR_SLUICE_DISPOSED` if the stock is closed already; the signal's reason.
   * @example
   * for await (const movement of redisStock.movements()) await log.append(movement);
   */
  movements(options?: {
    readonly from?: string | undefined;
    readonly signal?: AbortSignal | undefined;
  }): AsyncGenerator<RedisMovement, void, undefined> {
    this.#member.checkOpen();
    return movementsOf(this.#plan, this.#reader, options, () => this.#member.isClosing);
  }

  /**
   * Returns what this object has done. The server is not asked.
   *
   * @returns The counts.
   * @throws Nothing.
   * @example
   * const { reserved, lastFault } = redisStock.stats();
   */
  stats(): RedisStockStats {
    const { counts, pending, lastFault } = this.#member;
    return { ...this.#counts, ...counts, pending, lastFault };
  }

  /**
   * Leaves the sale: waits for the answers of all calls, and gives the leased units back. Reservations stay as they
   * are. Later calls are refused with `ERR_SLUICE_DISPOSED`. The client stays open.
   *
   * @returns When this process has left.
   * @throws Nothing.
   * @example
   * await redisStock.close();
   */
  async close(): Promise<void> {
    await this.#member.close();
    this.#lots.dispose();
    await this.#reader.close();
  }

  async #read<T>(
    where: string,
    call: (port: RedisPort) => Promise<unknown>,
    make: (reply: unknown) => T,
  ): Promise<T> {
    this.#member.checkOpen();
    try {
      return await this.#reader.read(call, make);
    } catch (error) {
      throw redisError(where, error);
    }
  }
}
