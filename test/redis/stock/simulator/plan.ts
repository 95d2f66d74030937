import { SeededRandom } from '../../../seeded-random.js';
import { type Mishap, mishaps } from './network.js';

export interface Item {
  readonly sku: number;
  readonly quantity: number;
  readonly perUser?: number;
}

export interface Line {
  readonly sku: number;
  readonly quantity: number;
}

/** What a client wants. `other` is another request, which it makes with the same id by mistake. */
export interface Wish {
  readonly id: string | undefined;
  readonly user: number | undefined;
  readonly lines: readonly Line[];
  readonly other: readonly Line[];
  readonly holdMs: number;
}

export interface Reserving {
  readonly do: 'reserve';
  readonly by: number;
  readonly wish: number;
  readonly isOther: boolean;
}

export interface Resolving {
  readonly do: 'confirm' | 'cancel' | 'extend';
  readonly by: number;
  readonly wish: number;
  /** For how long it is extended. */
  readonly ms: number;
}

export interface Changing {
  readonly do: 'restock' | 'withdraw' | 'close' | 'reopen' | 'expire';
  readonly by: number;
  readonly sku: number;
  /** How many units are put on sale, or taken off it. */
  readonly n: number;
}

/** One thing that happens. `by` is the place of a member, `wish` that of a wish in the plan. */
export type Action =
  | Reserving
  | Resolving
  | Changing
  | { readonly do: 'find'; readonly by: number; readonly wish: number }
  | { readonly do: 'befall'; readonly by: number; readonly mishaps: readonly Mishap[] }
  | { readonly do: 'die' | 'leave'; readonly by: number }
  | { readonly do: 'pause'; readonly ms: number };

/** Actions that happen at the same time, after the server was saved or has gone back to what was saved. */
interface Round {
  readonly first?: 'save' | 'roll-back';
  readonly actions: readonly Action[];
}

export interface Membership {
  readonly lease: false | { readonly ttlMs: number; readonly marginMs: number; readonly heartbeatMs: number };
  readonly timeoutMs: number;
}

export interface Plan {
  readonly items: readonly Item[];
  readonly members: readonly Membership[];
  readonly wishes: readonly Wish[];
  readonly rounds: readonly Round[];
}

const rounds = 44;
const saves = [6, 16, 26];
/** Holds end within a run, or long after it. */
const longMs = 600_000;

/** Makes a run of a seed. What happens depends on the seed alone; when it happens is up to the machine. */
export function planOf(seed: number): Plan {
  const random = new SeededRandom(seed);
  const items = Array.from({ length: random.between(1, 3) }, (_, i) => ({
    ...{ sku: i + 1, quantity: random.between(1, 9) },
    ...(random.chance(0.6) ? { perUser: random.between(1, 3) } : {}),
  }));
  const leaseless = random.chance(0.3);
  const members = Array.from({ length: random.between(2, 4) }, () => membershipOf(random, leaseless));
  const wishes = Array.from({ length: 40 }, (_, i) => wishOf(random, i, items));
  const rollsBack = random.chance(0.4);
  const plan: Round[] = [];
  for (let i = 0; i < rounds; i++) {
    const first = firstOf(i, rollsBack, random);
    const actions = Array.from({ length: random.between(1, 5) }, () =>
      actionOf(random, i, { items, members, wishes }),
    );
    // What the end of a member loses cannot be said again after a return of the server.
    const kept =
      first === 'roll-back' ? actions.filter((one) => one.do !== 'die' && one.do !== 'leave') : actions;
    plan.push(first === undefined ? { actions: kept } : { first, actions: kept });
  }
  return { items, members, wishes, rounds: plan };
}

function firstOf(round: number, rollsBack: boolean, random: SeededRandom): Round['first'] {
  if (!rollsBack) return undefined;
  if (saves.includes(round)) return 'save';
  const since = round - Math.max(...saves.filter((at) => at < round));
  return since > 0 && since < 8 && random.chance(0.15) ? 'roll-back' : undefined;
}

function membershipOf(random: SeededRandom, leaseless: boolean): Membership {
  const ttlMs = random.pick([100, 150, 300]);
  const lease = { ttlMs, marginMs: Math.ceil(ttlMs / 10), heartbeatMs: random.pick([10, 20, 25]) };
  return {
    lease: leaseless || random.chance(0.25) ? false : lease,
    timeoutMs: random.pick([600, 1_500, 3_000]),
  };
}

function wishOf(random: SeededRandom, i: number, items: readonly Item[]): Wish {
  const some = items.filter(() => random.chance(0.5));
  const lines = (some.length > 0 ? some : items.slice(0, 1)).map(({ sku }) => ({
    sku,
    quantity: random.chance(0.8) ? 1 : 2,
  }));
  return {
    id: random.chance(0.75) ? `o${i}` : undefined,
    user:
      random.chance(0.9) || items.some(({ perUser }) => perUser !== undefined)
        ? random.between(1, 4)
        : undefined,
    lines,
    other: lines.map(({ sku, quantity }) => ({ sku, quantity: quantity + 1 })),
    holdMs: random.chance(0.35) ? random.between(15, 150) : longMs,
  };
}

function actionOf(
  random: SeededRandom,
  round: number,
  { items, members, wishes }: Pick<Plan, 'items' | 'members' | 'wishes'>,
): Action {
  const by = random.below(members.length);
  // New wishes come with time; older ones are asked for again.
  const newest = Math.min(wishes.length - 1, Math.floor((round * wishes.length) / rounds) + 2);
  const wish = random.chance(0.7)
    ? random.between(Math.max(0, newest - 5), newest)
    : random.below(newest + 1);
  const { sku } = random.pick(items);
  const n = random.between(1, 3);
  const ms = random.pick([20, 200, longMs]);
  const roll = random.below(100);
  if (roll < 42) return { do: 'reserve', by, wish, isOther: random.chance(0.08) };
  if (roll < 54) return { do: 'confirm', by, wish, ms };
  if (roll < 62) return { do: 'cancel', by, wish, ms };
  if (roll < 65) return { do: 'extend', by, wish, ms };
  if (roll < 67) return { do: 'find', by, wish };
  if (roll < 69) return { do: 'expire', by, sku, n };
  if (roll < 72) return { do: 'restock', by, sku, n };
  if (roll < 74) return { do: 'withdraw', by, sku, n };
  if (roll < 75) return { do: 'close', by, sku, n };
  if (roll < 77) return { do: 'reopen', by, sku, n };
  if (roll < 92) {
    const some = Array.from({ length: random.between(1, 3) }, () => random.pick(mishaps));
    return { do: 'befall', by, mishaps: some };
  }
  if (roll < 93) return { do: 'die', by };
  if (roll < 94) return { do: 'leave', by };
  return { do: 'pause', ms: random.between(1, 60) };
}
