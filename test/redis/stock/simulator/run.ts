import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FoundOnRedis, type RedisPort, RedisStock } from 'sluice/redis';
import { removeSale, restoreSale, type SavedSale, saveSale } from '../saved.js';
import { type Account, type Asked, Auditor, Divergence, type Party } from './auditor.js';
import { Network, World } from './network.js';
import {
  type Action,
  type Changing,
  type Membership,
  type Plan,
  planOf,
  type Reserving,
  type Resolving,
} from './plan.js';
import type { Truth } from './truth.js';

const prefix = 'simulated';
const patienceMs = 120_000;
/** Members say for 10 seconds what a server has lost. */
const repeatedMs = 30_000;

/** A process of the sale: all of them live in this one, each behind a network of its own. */
interface Member extends Party {
  readonly stock: RedisStock;
  readonly network: Network;
}

/** Runs the plan of a seed on a server. @throws Divergence if what it answers, or what it has, cannot be. */
export async function run(seed: number, server: RedisPort): Promise<void> {
  const simulation = await Simulation.open(seed, server);
  const listen = (message: unknown): void => simulation.hears(message as Revocation);
  subscribe('sluice:redis:revoked', listen);
  try {
    await simulation.run();
  } catch (error) {
    if (error instanceof Error) error.message = `${error.message}\n${simulation.story()}`;
    throw error;
  } finally {
    unsubscribe('sluice:redis:revoked', listen);
    await simulation.end();
  }
}

interface Revocation {
  readonly stock: RedisStock;
  readonly reservation: bigint;
}

class Simulation {
  readonly #plan: Plan;
  readonly #sale: string;
  readonly #server: RedisPort;
  readonly #world: World;
  readonly #auditor: Auditor;
  readonly #observer: RedisStock;
  readonly #members: Member[];
  readonly #everyone = new Set<Member>();
  readonly #lines: string[] = [];
  #saved: SavedSale | undefined;
  readonly #since = performance.now();

  private constructor(plan: Plan, sale: string, server: RedisPort, world: World, observer: RedisStock) {
    this.#plan = plan;
    this.#sale = sale;
    this.#server = server;
    this.#world = world;
    this.#observer = observer;
    this.#auditor = new Auditor(plan);
    this.#members = [];
  }

  static async open(seed: number, server: RedisPort): Promise<Simulation> {
    const plan = planOf(seed);
    const sale = `seed${seed}`;
    const world = new World(server);
    const { items } = plan;
    const network = new Network(world);
    const observer = await RedisStock.open({
      redis: network.port,
      prefix,
      sale,
      items,
      lease: false,
      timeoutMs: patienceMs,
    });
    const simulation = new Simulation(plan, sale, server, world, observer);
    for (const membership of plan.members) simulation.#members.push(await simulation.#join(membership));
    return simulation;
  }

  async #join({ lease, timeoutMs }: Membership): Promise<Member> {
    const network = new Network(this.#world);
    const { items } = this.#plan;
    const options = { redis: network.port, prefix, sale: this.#sale, items, lease, timeoutMs };
    let stock: RedisStock | undefined;
    while (stock === undefined) stock = await RedisStock.open(options).catch(ignoreSilence);
    const member = { stock, network, isGone: false };
    this.#everyone.add(member);
    return member;
  }

  hears({ stock, reservation }: Revocation): void {
    const isOurs = [...this.#everyone].some((member) => member.stock === stock);
    if (!isOurs) return;
    this.#tell(`revoked ${reservation}`);
    this.#auditor.revoked(reservation);
  }

  /** What has happened, for a failure. */
  story(): string {
    return this.#lines.join('\n');
  }

  #tell(line: string): void {
    this.#lines.push(`${Math.round(performance.now() - this.#since)} ${line}`);
  }

  async run(): Promise<void> {
    for (const [i, { first, actions }] of this.#plan.rounds.entries()) {
      this.#tell(`round ${i}${first === undefined ? '' : `: ${first}`}`);
      if (first === 'save') await this.#save();
      if (first === 'roll-back') await this.#rollBack();
      await Promise.all(actions.map((action) => this.#act(action)));
      this.#auditor.endRound();
      if (this.#auditor.isHazy) await this.#recover();
      else if (i % 4 === 3) await this.#check();
    }
    await this.#check();
    await this.#sellOut();
  }

  async end(): Promise<void> {
    for (const { network } of this.#everyone) network.cut();
    await Promise.all(
      [this.#observer, ...[...this.#everyone].map(({ stock }) => stock)].map((stock) => stock.close()),
    );
    await removeSale(this.#server, prefix, this.#sale);
  }

  async #act(action: Action): Promise<void> {
    if (action.do === 'pause') return void (await sleep(action.ms));
    const member = this.#members[action.by] as Member;
    switch (action.do) {
      case 'befall':
        this.#tell(`${action.by}: befall ${action.mishaps}`);
        return member.network.befall(action.mishaps);
      case 'die':
      case 'leave':
        return await this.#replace(action);
      case 'reserve':
        return await this.#reserve(member, action);
      case 'confirm':
      case 'cancel':
      case 'extend':
        return await this.#resolve(member, action);
      case 'find':
        return await this.#find(member, action.wish);
      default:
        return await this.#change(member, action);
    }
  }

  /** A member dies, or leaves; another one takes its place. */
  async #replace(action: { readonly do: 'die' | 'leave'; readonly by: number }): Promise<void> {
    const member = this.#members[action.by] as Member;
    this.#tell(`${action.by}: ${action.do}`);
    member.isGone = true;
    if (action.do === 'die') member.network.cut();
    this.#members[action.by] = await this.#join(this.#plan.members[action.by] as Membership);
    if (action.do === 'leave') await member.stock.close();
  }

  async #reserve(member: Member, action: Reserving): Promise<void> {
    const account = this.#auditor.accounts[action.wish] as Account;
    const { id, user, holdMs } = account.wish;
    // A request without an id is another one each time.
    if (id === undefined && account.asked.reserve > 0) return;
    const isOther = action.isOther && id !== undefined;
    const lines = isOther ? account.wish.other : account.wish.lines;
    account.asked[isOther ? 'other' : 'reserve']++;
    account.waiting++;
    const asked = this.#asked(member, lines);
    account.firstMs ||= asked.atMs;
    const { refusedHere } = member.stock.stats();
    const options = { holdMs, ...(user === undefined ? {} : { user }), ...(id === undefined ? {} : { id }) };
    const [line] = lines;
    const answering =
      lines.length === 1 && line !== undefined
        ? member.stock.reserve({ ...line, ...options })
        : member.stock.reserveAll(lines, options);
    const isHere = member.stock.stats().refusedHere > refusedHere;
    try {
      const answer = await answering;
      const said = answer.ok
        ? `${answer.reservation} ${answer.state}${answer.duplicate ? ' before' : ''}`
        : answer.reason;
      this.#tell(
        `${action.by}: reserve ${account.name}${isOther ? ' otherwise' : ''} (${id}): ${said}${isHere ? ' (here)' : ''}`,
      );
      const mayLoseLease = member.stock.stats().fenced > 0 || this.#auditor.hasGoneBack;
      if (answer.ok) this.#auditor.reserved(account, member, answer, asked);
      else this.#auditor.refused(account, member, answer.reason, isHere, { ...asked, mayLoseLease });
    } catch (error) {
      this.#unanswered(member, error);
      this.#auditor.unsure(account, 'reserve');
    } finally {
      account.waiting--;
    }
  }

  async #resolve(member: Member, action: Resolving): Promise<void> {
    const account = this.#auditor.accounts[action.wish] as Account;
    const { reservation } = account;
    if (reservation === undefined) return;
    const { ms } = action;
    const asked = { ...this.#asked(member, account.wish.lines), ms };
    if (action.do !== 'extend') account.asked[action.do]++;
    try {
      const answer = await (action.do === 'extend'
        ? member.stock.extend(reservation, ms)
        : action.do === 'confirm'
          ? member.stock.confirm(reservation)
          : member.stock.cancel(reservation));
      this.#tell(`${action.by}: ${action.do} ${account.name}: ${answer}`);
      this.#auditor.resolved(account, member, action.do, answer, asked);
    } catch (error) {
      this.#unanswered(member, error);
      this.#tell(`${action.by}: ${action.do} ${account.name}: no answer`);
      if (action.do === 'extend')
        account.ends.last = Math.max(account.ends.last, Date.now() + patienceMs + ms);
      else this.#auditor.unsure(account, action.do);
    }
  }

  async #find(member: Member, wish: number): Promise<void> {
    const account = this.#auditor.accounts[wish] as Account;
    const asked = this.#asked(member, account.wish.lines);
    try {
      const found = await findOf(member.stock, account);
      if (found !== 'nameless') this.#auditor.found(account, member, found, asked);
    } catch (error) {
      this.#unanswered(member, error);
    }
  }

  async #change(member: Member, action: Changing): Promise<void> {
    const { stock } = member;
    try {
      if (action.do === 'expire') await stock.expire();
      else if (action.do === 'close') await stock.closeItem(action.sku);
      else if (action.do === 'reopen') await stock.reopenItem(action.sku);
      else {
        const { sku, n } = action;
        let done = n;
        if (action.do === 'restock') await stock.restock(sku, n);
        else done = -(await stock.withdraw(sku, n));
        this.#tell(`${action.by}: ${action.do} ${n} of ${sku}: ${done}`);
        this.#auditor.changed(sku, member, { least: done, most: done });
      }
    } catch (error) {
      this.#unanswered(member, error);
      if (action.do === 'restock') this.#auditor.changed(action.sku, member, { least: 0, most: action.n });
      if (action.do === 'withdraw') this.#auditor.changed(action.sku, member, { least: -action.n, most: 0 });
    }
  }

  #asked(by: Party, lines: Asked['lines']): Asked {
    return { at: this.#auditor.fact(by).at, atMs: Date.now(), lines };
  }

  /** A call may fail for want of an answer, and of a member that has died or left; otherwise never. */
  #unanswered(member: Member, error: unknown): void {
    const { code } = error as { code?: unknown };
    const isMute = code === 'ERR_SLUICE_TIMEOUT' || code === 'ERR_SLUICE_REDIS';
    if (!isMute && !(member.isGone && code === 'ERR_SLUICE_DISPOSED')) throw error;
  }

  /** Waits until nothing is on its way: no call of a member, and none that a member has given up. */
  async #calm(): Promise<void> {
    for (const { network } of this.#members) network.heal();
    await until('nothing is on its way', async () => {
      const isQuiet = this.#members.every(({ stock }) => stock.stats().pending === 0);
      return isQuiet && this.#world.isCalm ? [] : ['a call'];
    });
  }

  async #truth(): Promise<Truth> {
    const atMs = Date.now();
    const found = await Promise.all(
      this.#auditor.accounts.map(async (account) => {
        const one = await findOf(this.#observer, account);
        return one === 'nameless' ? undefined : one;
      }),
    );
    await this.#observer.expire();
    const counts = new Map<number, Awaited<ReturnType<RedisStock['counts']>>>();
    for (const { sku } of this.#plan.items) counts.set(sku, await this.#observer.counts(sku));
    return { atMs, withinMs: Date.now() - atMs, found, counts };
  }

  async #check(): Promise<void> {
    await this.#calm();
    const truth = await this.#truth();
    this.#auditor.check(truth, noParty);
    this.#auditor.endRound();
    await this.#observer.audit();
  }

  async #save(): Promise<void> {
    await this.#check();
    this.#saved = await saveSale(this.#server, prefix, this.#sale);
    const totals = await this.#truth();
    this.#auditor.saved(new Map([...totals.counts].map(([sku, { total }]) => [sku, total])));
  }

  /** The server comes back in the state that was saved. */
  async #rollBack(): Promise<void> {
    const saved = this.#saved as SavedSale;
    await this.#world.away(() => restoreSale(this.#server, prefix, this.#sale, saved));
    this.#auditor.wentBack();
  }

  /** Waits until the members have said again what the server has lost. */
  async #recover(): Promise<void> {
    // An operation of each shows it what the server has last heard of it.
    for (const { network } of this.#members) network.heal();
    for (const { stock } of this.#members) {
      await until('an answer', async () => {
        const answer = await stock.confirm(1n).catch(String);
        return answer === 'unknown' ? [] : [answer];
      });
    }
    let truth: Truth | undefined;
    const missing = async (): Promise<string[]> => {
      await this.#calm();
      truth = await this.#truth();
      return this.#auditor.missing(truth);
    };
    await until('all is said again', missing, repeatedMs);
    this.#auditor.rebase(truth as Truth, noParty);
    await this.#check();
  }

  /** All members leave or die; then the observer sells what is left, one unit after the other. */
  async #sellOut(): Promise<void> {
    const left = this.#members.splice(0);
    for (const [i, { stock, network }] of left.entries()) {
      if (i % 2 === 0) await stock.close();
      else network.cut();
    }
    for (const { sku } of this.#plan.items) {
      await until('no unit is leased', async () => {
        await this.#observer.expire();
        const { leased } = await this.#observer.counts(sku);
        return leased === 0 ? [] : [`${leased} are leased`];
      });
      await this.#observer.reopenItem(sku);
      const before = await this.#observer.counts(sku);
      let sold = 0;
      for (let isLeft = true; isLeft; sold += isLeft ? 1 : 0) {
        const user = `last ${sku} ${sold}`;
        isLeft = (await this.#observer.reserve({ sku, quantity: 1, user })).ok;
      }
      const after = await this.#observer.counts(sku);
      const isExact =
        after.available === 0 && after.reserved + after.sold === after.total && after.total === before.total;
      if (!isExact || sold < before.available)
        throw new Divergence(
          `item ${sku}: ${JSON.stringify(before)}, then ${sold} were sold: ${JSON.stringify(after)}`,
        );
    }
    await this.#observer.audit();
  }
}

/** A machine under load may not answer in time. */
function ignoreSilence(error: Error): undefined {
  if (!/no reply within/.test(error.message)) throw error;
}

/** Facts that were read from the server are nobody's: nobody may know to say them again. */
const noParty: Party = { isGone: true };

/** Returns the reservation of a wish; 'nameless' if nobody knows how to find it. */
async function findOf(
  stock: RedisStock,
  { wish, reservation }: Account,
): Promise<FoundOnRedis | 'nameless' | undefined> {
  if (wish.id !== undefined) return await stock.find({ id: wish.id });
  return reservation === undefined ? 'nameless' : await stock.find({ reservation });
}

/** Waits until nothing is missing. */
async function until(
  what: string,
  missing: () => Promise<readonly string[]>,
  ms: number = patienceMs,
): Promise<void> {
  const end = performance.now() + ms;
  for (;;) {
    const left = await missing();
    if (left.length === 0) return;
    if (performance.now() > end) throw new Divergence(`not within ${ms} ms: ${what}: ${left.join('; ')}`);
    await sleep(5);
  }
}
