import type { FoundOnRedis } from 'sluice/redis';
import type { Item, Line, Plan, Wish } from './plan.js';
import { type Counts, roundingMs, sameLines, type Truth, unitsIn, unitsOf } from './truth.js';

/** The answers of a sale cannot be those of a sale that keeps its promises. */
export class Divergence extends Error {
  override name = 'Divergence';
}

/** A process that takes part in the sale, as far as the auditor cares. */
export interface Party {
  /** It has died or left: what only it could say again is lost when the server goes back. */
  isGone: boolean;
}

type State = FoundOnRedis['state'];
type Final = Exclude<State, 'held'>;

/** A thing that a member was told, and when. */
interface Fact {
  readonly by: Party;
  readonly at: number;
}

/** For so long members know surely what they have settled: on a slow machine a run may take longer. */
const rememberedMs = 5_000;

/** What is known of a wish. */
export class Account {
  readonly wish: Wish;
  readonly name: string;
  /** The reservations that were told and not revoked: at most one, but while the server goes back. */
  readonly told = new Map<bigint, Fact>();
  /** The lines of the reservation. */
  lines: readonly Line[] | undefined;
  /** How often it was asked for, and how many of these calls wait. */
  readonly asked = { reserve: 0, other: 0, confirm: 0, cancel: 0 };
  waiting = 0;
  /** When it was first asked for, in milliseconds since 1970. */
  firstMs = 0;
  /** Calls whose callers were told nothing certain. */
  readonly unsure = { reserve: 0, confirm: 0, cancel: 0 };
  final: (Fact & { readonly state: Final }) | undefined;
  /** How many callers were told that they have done it. */
  readonly did = { reserved: 0, confirmed: 0, cancelled: 0 };
  /** Between these times, in milliseconds since 1970, the hold ends. */
  ends = { first: Number.POSITIVE_INFINITY, last: Number.NEGATIVE_INFINITY };
  /** Whether the server has said that the id has failed. */
  failed: Fact | undefined;
  refusals = 0;

  constructor(wish: Wish, name: string) {
    this.wish = wish;
    this.name = name;
  }

  get reservation(): bigint | undefined {
    return [...this.told.keys()].at(-1);
  }

  /** Whether it may have units, or have had. */
  get mayHold(): boolean {
    return this.told.size + this.unsure.reserve + this.waiting > 0;
  }

  /** The lines that its reservation may have. */
  get possible(): ReadonlyArray<readonly Line[]> {
    if (this.lines !== undefined) return [this.lines];
    return [
      ...(this.asked.reserve > 0 ? [this.wish.lines] : []),
      ...(this.asked.other > 0 ? [this.wish.other] : []),
    ];
  }
}

/** How many units the sale has of an item: no fewer, and no more. */
interface Range {
  least: number;
  most: number;
}

/** What may be true of a sale, by what its members were told, written from docs/guide/redis-sale.md. */
export class Auditor {
  readonly accounts: Account[];
  readonly totals: Map<number, Range>;
  readonly #items: ReadonlyMap<number, Item>;
  readonly #revoked = new Set<bigint>();
  #wronglyRevoked: bigint | undefined;
  readonly #owners = new Map<bigint, Account>();
  /** Changes of totals that were told, for a return of the server. */
  #changes: Array<Range & { readonly by: Party; readonly sku: number }> = [];
  #time = 0;
  /** Whether the server has gone back, and members have not yet said again what it lost. */
  isHazy = false;
  hasGoneBack = false;
  #savedAt = 0;
  #savedMs = 0;
  /** Whether what was told since the server was saved may be lost, because members may not know it any more. */
  #isForgotten = false;
  #savedTotals = new Map<number, number>();

  constructor(plan: Plan) {
    this.accounts = plan.wishes.map((wish, i) => new Account(wish, `wish ${i}`));
    this.totals = new Map(plan.items.map(({ sku, quantity }) => [sku, { least: quantity, most: quantity }]));
    this.#items = new Map(plan.items.map((item) => [item.sku, item]));
  }

  fact(by: Party): Fact {
    return { by, at: ++this.#time };
  }

  /** A member says that a settled order is lost. */
  revoked(reservation: bigint): void {
    this.#revoked.add(reservation);
    // The server remembers the refusal of what is said again.
    const owner = this.#owners.get(reservation);
    if (owner !== undefined) owner.refusals++;
    if (!this.hasGoneBack) this.#wronglyRevoked = reservation;
  }

  /** A caller has a reservation: for the first time, or again. */
  reserved(account: Account, by: Party, answer: Reserved, asked: Asked): void {
    const { reservation, duplicate } = answer;
    const owner = this.#owners.get(reservation);
    if (owner !== undefined && owner !== account) this.#fail(account, `has the reservation of ${owner.name}`);
    this.#owners.set(reservation, account);
    if (!this.isHazy) {
      const known = account.reservation;
      if (known !== undefined && known !== reservation)
        this.#fail(account, `has ${known} and ${reservation}`);
      if (account.failed !== undefined && account.failed.at < asked.at)
        this.#fail(account, 'failed, and was reserved');
      if (account.lines !== undefined && account.lines !== asked.lines)
        this.#fail(account, 'has another body');
      const isAgain = known !== undefined && (account.told.get(known)?.at ?? 0) < asked.at;
      if (!duplicate && (isAgain || ++account.did.reserved > 1)) this.#fail(account, 'was reserved twice');
      if (
        duplicate &&
        known === undefined &&
        account.unsure.reserve + account.waiting < (asked.isFound ? 1 : 2)
      )
        this.#fail(account, 'was reserved for no caller');
    }
    if (!account.told.has(reservation)) {
      account.told.set(reservation, this.fact(by));
      account.lines = asked.lines;
      account.final = undefined; // that of a reservation which the server has lost
    }
    if (!duplicate) this.#holds(account, asked.atMs, account.wish.holdMs);
    // It was reserved by a call whose caller has heard nothing.
    else if (account.ends.last === Number.NEGATIVE_INFINITY)
      this.#holds(account, account.firstMs, account.wish.holdMs);
    this.#isIn(account, by, answer.state as State, asked);
  }

  /** The answer to `confirm`, `cancel` and `extend`. */
  resolved(
    account: Account,
    by: Party,
    what: 'confirm' | 'cancel' | 'extend',
    answer: string,
    asked: Asked,
  ): void {
    if (answer === 'extended') {
      this.#holds(account, asked.atMs, asked.ms ?? 0);
      this.#isIn(account, by, 'held', asked);
      return;
    }
    if (answer === 'unknown') {
      if (!this.isHazy) this.#fail(account, `is unknown to ${what}`);
      return;
    }
    if (answer === 'confirmed' || answer === 'cancelled') {
      const did = `${what === 'confirm' ? 'confirmed' : 'cancelled'}` as const;
      if (did !== answer) this.#fail(account, `${what} answered ${answer}`);
      account.did[answer]++;
      if (!this.isHazy && account.did[answer] > 1) this.#fail(account, `two callers have ${answer} it`);
      if (!this.isHazy && asked.atMs > account.ends.last + roundingMs)
        this.#fail(account, `was ${answer} after its hold`);
      if (!this.isHazy && account.final !== undefined && account.final.at < asked.at)
        this.#fail(account, `was ${answer} after it was ${account.final.state}`);
    }
    this.#isIn(account, by, answer.replace('already-', '') as State, asked);
  }

  found(account: Account, by: Party, found: FoundOnRedis | undefined, asked: Asked): void {
    if (found === undefined) {
      if (!this.isHazy && account.reservation !== undefined) this.#fail(account, 'is not found');
      return;
    }
    if (!this.isHazy && account.asked.reserve + account.asked.other === 0)
      this.#fail(account, 'was never asked for');
    const body = account.possible.find((lines) => sameLines(lines, found.lines));
    if (body === undefined) this.#fail(account, `holds ${JSON.stringify(found.lines)}`);
    this.reserved(
      account,
      by,
      { reservation: found.reservation, duplicate: true, state: found.state },
      { ...asked, lines: body as readonly Line[], isFound: true },
    );
  }

  /** `isHere`: the member has answered without asking the server. */
  refused(account: Account, by: Party, reason: string, isHere: boolean, asked: Asked): void {
    if (reason === 'unavailable') {
      account.unsure.reserve++;
      return;
    }
    account.refusals++;
    if (this.isHazy) return;
    const { id } = account.wish;
    if (!isHere) {
      const known = account.reservation;
      const isBound = known !== undefined && (account.told.get(known)?.at ?? 0) < asked.at;
      if (isBound && account.lines === asked.lines)
        this.#fail(account, `has ${known}, and was refused: ${reason}`);
      if (isBound && account.lines !== asked.lines && reason !== 'id-mismatch')
        this.#fail(account, `has ${known}, and another request was refused as ${reason}`);
      if (
        account.failed !== undefined &&
        account.failed.at < asked.at &&
        !/^(?:already-failed|id-mismatch)$/.test(reason)
      )
        this.#fail(account, `failed, and was refused as ${reason}`);
      if (reason === 'user-limit') this.#checkLimit(account, asked);
    }
    if (reason === 'id-mismatch' && (account.asked.reserve === 0 || account.asked.other === 0))
      this.#fail(account, 'had no other request');
    if (reason === 'already-failed' && account.refusals + account.unsure.reserve + account.waiting < 3)
      this.#fail(account, 'had not failed before');
    if (reason === 'revoked' && !asked.mayLoseLease) this.#fail(account, 'was revoked within a lease');
    const isFinal = /^(?:already-failed|user-limit|item-closed)$/.test(reason);
    if (isFinal && !isHere && id !== undefined) account.failed ??= this.fact(by);
  }

  /** The user's units of an item, with those that may be reserved, are too few to refuse this. */
  #checkLimit(account: Account, asked: Asked): void {
    const { user } = account.wish;
    const isLikely = asked.lines.some(({ sku, quantity }) => {
      const limit = this.#items.get(sku)?.perUser;
      if (limit === undefined) return false;
      let most = quantity;
      for (const other of this.accounts) {
        if (other === account || other.wish.user !== user || !other.mayHold || endedBefore(other, asked))
          continue;
        most += Math.max(0, ...other.possible.map((lines) => unitsIn(lines, sku)));
      }
      return most > limit;
    });
    if (!isLikely) this.#fail(account, 'was refused as user-limit, and the user has not so many');
  }

  /** A call did not come to a certain end. */
  unsure(account: Account, what: 'reserve' | 'confirm' | 'cancel'): void {
    account.unsure[what]++;
  }

  changed(sku: number, by: Party, { least, most }: Range): void {
    const total = this.totals.get(sku) as Range;
    total.least += least;
    total.most += most;
    this.#changes.push({ by, sku, least, most });
  }

  /** The server was saved, with these totals. */
  saved(totals: ReadonlyMap<number, number>): void {
    this.#savedAt = ++this.#time;
    this.#savedMs = Date.now();
    this.#savedTotals = new Map(totals);
    this.#changes = [];
  }

  /** The server has gone back to what was saved. */
  wentBack(): void {
    this.isHazy = true;
    this.hasGoneBack = true;
    this.#isForgotten = Date.now() - this.#savedMs > rememberedMs;
    for (const [sku, total] of this.#savedTotals) {
      const range = this.totals.get(sku) as Range;
      range.least = total;
      range.most = total;
      // A living member says again what it has done; what it takes off sale then may be sold by others.
      for (const { by, least, most } of this.#changes.filter((change) => change.sku === sku)) {
        range.least += by.isGone || this.#isForgotten ? Math.min(0, least) : least;
        range.most += Math.max(0, most);
      }
    }
  }

  /** Returns what a living member was told, and the server does not have again yet, and nobody has revoked. */
  missing(truth: Truth): string[] {
    return this.accounts.flatMap((account, i) => {
      const found = truth.found[i];
      const isLost = ({ by, at }: Fact): boolean => at > this.#savedAt && (by.isGone || this.#isForgotten);
      return [...account.told].flatMap(([reservation, fact]) => {
        if (this.#revoked.has(reservation) || isLost(fact)) return [];
        const name = `${account.name} (${reservation})`;
        if (found?.reservation !== reservation) return [`${name} is not there`];
        const { final } = account;
        if (final === undefined || final.state === 'expired' || isLost(final)) return [];
        const isAgain =
          final.state === found.state || (final.state === 'cancelled' && found.state === 'expired');
        return isAgain ? [] : [`${name} was ${final.state}, and is ${found.state}`];
      });
    });
  }

  /** After a return of the server, when nothing is missing any more: what is there now is what is known. */
  rebase(truth: Truth, by: Party): void {
    this.isHazy = false;
    this.accounts.forEach((account, i) => {
      const found = truth.found[i];
      const told = found && account.told.get(found.reservation);
      const { final } = account;
      account.told.clear();
      account.did.reserved = 0;
      account.lines = undefined;
      account.final = undefined;
      account.failed = undefined;
      account.ends = { first: Number.POSITIVE_INFINITY, last: Number.NEGATIVE_INFINITY };
      // An order that came to no certain end may come back later: its member says it again when there is room.
      if (found === undefined) return;
      account.lines = account.possible.find((lines) => sameLines(lines, found.lines));
      if (account.lines === undefined) this.#fail(account, `holds ${JSON.stringify(found.lines)}`);
      // A member that had heard of it says it again at the next return, unless the member is gone.
      account.told.set(found.reservation, told ?? this.fact(by));
      const { state } = found;
      const isKnown = told !== undefined && final?.state === state;
      if (state !== 'held') account.final = isKnown ? final : { ...this.fact(by), state };
      if (found.state !== 'confirmed') account.did.confirmed = 0;
      if (found.state !== 'cancelled') account.did.cancelled = 0;
      if (found.state === 'held') this.#holds(account, truth.atMs, found.expiresInMs);
    });
  }

  /** Compares all that is there with what may be. Nothing is on its way. */
  check(truth: Truth, by: Party): void {
    const asked = (account: Account): Asked => ({
      at: ++this.#time,
      atMs: truth.atMs,
      lines: account.wish.lines,
    });
    this.accounts.forEach((account, i) => {
      const found = truth.found[i];
      if (found === undefined && account.wish.id === undefined && account.reservation === undefined) return;
      this.found(account, by, found, asked(account));
      if (found?.state === 'held' && truth.atMs > account.ends.last + roundingMs)
        this.#fail(account, 'is held after its time');
    });
    for (const [sku, counts] of truth.counts) this.#checkItem(sku, counts, truth);
    this.#checkUsers(truth);
  }

  #checkItem(sku: number, counts: Counts, truth: Truth): void {
    const range = this.totals.get(sku) as Range;
    if (counts.total < range.least || counts.total > range.most)
      throw new Divergence(`item ${sku}: total ${counts.total}, may be ${range.least} to ${range.most}`);
    range.least = counts.total;
    range.most = counts.total;
    const { held, mayBeHeld, sold } = unitsOf(truth, sku);
    // Orders without an id whose callers have heard nothing: if they were reserved, nobody knows their numbers.
    const nameless = this.accounts
      .filter(
        ({ wish, reservation, unsure }) =>
          wish.id === undefined && reservation === undefined && unsure.reserve > 0,
      )
      .reduce((sum, { wish }) => sum + unitsIn(wish.lines, sku), 0);
    if (counts.reserved < held || counts.reserved > mayBeHeld + nameless)
      throw new Divergence(
        `item ${sku}: reserved ${counts.reserved}, may be ${held} to ${mayBeHeld + nameless}`,
      );
    if (counts.sold !== sold)
      throw new Divergence(`item ${sku}: sold ${counts.sold}, but ${sold} are confirmed`);
  }

  #checkUsers(truth: Truth): void {
    const has = new Map<string, number>();
    truth.found.forEach((found, i) => {
      const user = this.accounts[i]?.wish.user;
      if (user === undefined || !(found?.state === 'held' || found?.state === 'confirmed')) return;
      for (const { sku, quantity } of found.lines) {
        const key = `${sku} of user ${user}`;
        has.set(key, (has.get(key) ?? 0) + quantity);
        const limit = this.#items.get(Number(sku))?.perUser ?? Number.POSITIVE_INFINITY;
        if ((has.get(key) ?? 0) > limit)
          throw new Divergence(`${key}: ${has.get(key)} units, the limit is ${limit}`);
      }
    });
  }

  #holds(account: Account, fromMs: number, ms: number): void {
    const [first, last] = [fromMs + ms, Date.now() + ms];
    // An extension never shortens a hold.
    account.ends = {
      first: account.ends.first === Number.POSITIVE_INFINITY ? first : Math.max(first, account.ends.first),
      last: Math.max(last, account.ends.last),
    };
  }

  /** The reservation was in this state at some time between the call and its answer. */
  #isIn(account: Account, by: Party, state: State, asked: Asked): void {
    const { final } = account;
    if (state === 'held') {
      if (this.isHazy || final === undefined || final.at > asked.at) return;
      this.#fail(account, `was ${final.state}, and is held`);
    }
    if (!this.isHazy) {
      if (final !== undefined && final.state !== state)
        this.#fail(account, `was ${final.state}, and is ${state}`);
      if (state === 'expired' && Date.now() < account.ends.first - roundingMs)
        this.#fail(account, `expired ${account.ends.first - Date.now()} ms before its time`);
      if (state === 'confirmed' && account.asked.confirm === 0)
        this.#fail(account, 'was confirmed by nobody');
      if (state === 'cancelled' && account.asked.cancel === 0) this.#fail(account, 'was cancelled by nobody');
    }
    if (final === undefined || this.isHazy) account.final = { ...this.fact(by), state: state as Final };
  }

  /** At the end of a round: if callers heard that others had done it, another caller has, or does not know. */
  endRound(): void {
    if (this.#wronglyRevoked !== undefined)
      throw new Divergence(`${this.#wronglyRevoked} was revoked without a loss of the server`);
    if (this.isHazy) return;
    for (const account of this.accounts) {
      const { final, did, unsure } = account;
      if (final?.state === 'confirmed' && did.confirmed + unsure.confirm === 0)
        this.#fail(account, 'nobody was told that it is confirmed');
      if (final?.state === 'cancelled' && did.cancelled + unsure.cancel === 0)
        this.#fail(account, 'nobody was told that it is cancelled');
    }
  }

  #fail(account: Account, what: string): never {
    throw new Divergence(`${account.name} (${account.wish.id ?? 'no id'}) ${what}`);
  }
}

export interface Asked {
  /** When it was asked: a place in the order of facts, and milliseconds since 1970. */
  readonly at: number;
  readonly atMs: number;
  readonly lines: readonly Line[];
  readonly ms?: number;
  readonly isFound?: boolean;
  /** Whether the member has lost a lease, or may have. */
  readonly mayLoseLease?: boolean;
}

interface Reserved {
  readonly reservation: bigint;
  readonly duplicate: boolean;
  readonly state: string;
}

function endedBefore({ final, ends, told }: Account, asked: Asked): boolean {
  if (final !== undefined) return final.state !== 'confirmed' && final.at < asked.at;
  return told.size > 0 && ends.last + roundingMs < asked.atMs;
}
