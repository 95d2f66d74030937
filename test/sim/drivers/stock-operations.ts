import { type Group, keyText, type Line, type NewItem, type Sku } from '../auditor/cart.js';
import type { Phase } from '../auditor/ledger.js';
import type { Part } from '../auditor/parts.js';
import { drawByWeight, type Operation, type Random, sometimes } from '../operation.js';
import { orderOf } from './gate-operations.js';
import type { StockScenario } from './stock.js';

/** A key as plain data; `{ big }` means a bigint. */
export type KeyName = number | string | { readonly big: number };

export function textOf(key: KeyName | undefined): string | undefined {
  return key === undefined ? undefined : keyText(keyOf(key));
}

export function keyOf(key: KeyName): number | string | bigint {
  return typeof key === 'object' ? BigInt(key.big) : key;
}

/** How many more places each table gets. `ids`: whether there is then room for all ids that the simulator uses. */
export interface Growth {
  readonly items: number;
  readonly reservations: number;
  readonly users: number;
  readonly ids: boolean;
}

/** A part of a reservation: all of it if `part` is absent. */
interface PartOf {
  readonly of: number;
  readonly part?: Part;
}
type By = Operation & { readonly by: number };
/** The filters of a listing: those that are absent let everything through. */
export type List = By & {
  readonly do: 'list';
  readonly state?: Phase;
  readonly user?: KeyName;
  readonly sku?: Sku;
  readonly limit?: number;
  readonly after?: number;
};
export type StockOperation =
  | (By & {
      readonly do: 'reserve';
      readonly lines: readonly Line[];
      readonly cart: boolean;
      readonly user?: KeyName;
      readonly id?: KeyName;
      readonly holdMs?: number;
    })
  | (By & PartOf & { readonly do: 'confirm'; readonly rest?: 'release' | 'hold' })
  | (By & PartOf & { readonly do: 'cancel' | 'return' })
  | (By & { readonly do: 'changeHeld'; readonly of: number; readonly levels: Part })
  | (By & { readonly do: 'find'; readonly of: number })
  | (By & { readonly do: 'findId'; readonly id: KeyName })
  | List
  | (By & { readonly do: 'returnOf'; readonly line: Line; readonly user?: KeyName })
  | (By & { readonly do: 'extend'; readonly of: number; readonly ms: number })
  | (By & { readonly do: 'stranger'; readonly id: string })
  | (By & { readonly do: 'expire' })
  | (By & { readonly do: 'restock' | 'withdraw'; readonly sku: Sku; readonly quantity: number })
  | (By & { readonly do: 'add'; readonly item: NewItem })
  | (By & { readonly do: 'addGroup' | 'changeGroup'; readonly group: Group })
  | (By & { readonly do: 'close' | 'reopen'; readonly sku: Sku })
  | (By & {
      readonly do: 'change';
      readonly sku: Sku;
      readonly perUser?: number | null;
      readonly backorder?: number;
      readonly sellForMs?: number | null;
      readonly clamp?: boolean;
    })
  | (By & { readonly do: 'setTotal'; readonly sku: Sku; readonly total: number; readonly clamp?: boolean })
  | (By & { readonly do: 'configure'; readonly holdMs: number })
  | (By & { readonly do: 'die' })
  | (By & { readonly do: 'snapshot' })
  | (By & { readonly do: 'restore'; readonly of: number; readonly grow?: Growth });

export const stockOperations = [
  'reserve',
  'confirm',
  'cancel',
  'changeHeld',
  'return',
  'returnOf',
  'find',
  'findId',
  'list',
  'extend',
  'stranger',
  'expire',
  'restock',
  'withdraw',
  'add',
  'close',
  'reopen',
  'change',
  'addGroup',
  'changeGroup',
  'setTotal',
  'configure',
  'die',
  'snapshot',
  'restore',
];

const skus: readonly Sku[] = [1, 2, 3, 'one', '1', 99];
export const groupNames: readonly string[] = ['1', 'one', 'ü'];
const users: readonly KeyName[] = [1, { big: 1 }, '1', 2, 'anna', 7];

/** `groups` are names of groups: the item may be in one of them. */
export function drawItem(random: Random, sku: Sku, sharded: boolean, groups: readonly string[]): NewItem {
  const perUser = sometimes(random, 0.5, () => random.between(1, 9));
  const backorder = sometimes(random, 0.3, () => random.between(0, 9));
  const group = sometimes(random, groups.length === 0 ? 0 : 0.5, () => random.pick(groups));
  const shards = sharded ? random.between(1, 4) : 1;
  const sellForMs = sometimes(random, 0.1, () => random.pick([7.25, 900, 60_000]));
  return {
    sku,
    quantity: random.between(0, 30),
    ...(perUser === undefined ? {} : { perUser }),
    ...(backorder === undefined ? {} : { backorder }),
    ...(group === undefined ? {} : { group }),
    ...(shards === 1 ? {} : { shards }),
    ...(sellForMs === undefined ? {} : { sellForMs }),
  };
}

function drawId(random: Random): KeyName {
  return random.pick<KeyName>([random.below(24), `id${random.below(12)}`]);
}

/** The reservations to which an operation can refer, by name. */
interface KnownReservations {
  readonly reservations: readonly number[];
  /** The held reservations, each with the items of its lines. */
  readonly held: ReadonlyArray<{ readonly name: number; readonly skus: readonly Sku[] }>;
  /** The lines that have bought units which were not returned. */
  readonly bought: ReadonlyArray<{
    readonly name: number;
    readonly sku: Sku;
    readonly user: string | undefined;
  }>;
}

/** Draws mostly a reservation that fits the operation; otherwise mostly one of the last twelve, sometimes any one. */
function drawReservation(random: Random, kind: string | undefined, known: KnownReservations): number {
  const fit = (kind === 'return' ? known.bought : known.held).map(({ name }) => name);
  if (fit.length > 0 && random.chance(0.6)) return random.pick(fit);
  const recent = known.reservations.slice(-12);
  return recent.length === 0 ? 0 : random.pick(random.chance(0.8) ? recent : known.reservations);
}

/** Draws a part; in half of the cases none, which means the whole reservation. */
function drawPart(random: Random, scenario: StockScenario): { part?: Part } {
  const quantity = random.between(1, 3);
  const lines = Array.from({ length: random.between(1, 3) }, () => ({
    sku: random.pick(scenario.items).sku,
    quantity: random.between(1, 2),
  }));
  return random.pick([{}, {}, { part: { quantity } }, { part: { lines } }]);
}

export function drawStock(
  random: Random,
  name: number,
  scenario: StockScenario,
  known: KnownReservations & { readonly snapshots: readonly number[] },
): StockOperation | undefined {
  const by = random.below(scenario.objects);
  const base = { driver: 'stock', name, by };
  const kind = drawByWeight(random, scenario.weights);
  const of = drawReservation(random, kind, known);
  const sku = random.pick(random.chance(0.9) ? scenario.items.map((item) => item.sku).concat(1) : skus);
  switch (kind) {
    case 'reserve': {
      if (random.chance(0.1)) {
        // An order that a gate may have been asked for, too.
        const id = random.below(20);
        const { user, ...line } = orderOf(id);
        return { ...base, do: kind, lines: [line], cart: false, user, id };
      }
      const cart = random.chance(0.4);
      const lines = Array.from({ length: cart ? random.between(1, 4) : 1 }, () => ({
        sku: random.chance(0.4)
          ? sku
          : random.pick(random.chance(0.9) ? scenario.items.map((item) => item.sku) : skus),
        quantity: random.between(1, random.chance(0.1) ? 40 : 3),
      }));
      const user = sometimes(random, 0.95, () => random.pick(users));
      const id = sometimes(random, 0.4, () => drawId(random));
      const holdMs = sometimes(random, 0.3, () => random.pick([1, 5, 100, 1_000.5]));
      const options = {
        ...(user === undefined ? {} : { user }),
        ...(id === undefined ? {} : { id }),
        ...(holdMs === undefined ? {} : { holdMs }),
      };
      return { ...base, do: kind, lines, cart, ...options };
    }
    case 'confirm': {
      const rest = sometimes(random, 0.5, () => random.pick(['release', 'hold'] as const));
      return {
        ...base,
        do: kind,
        of,
        ...drawPart(random, scenario),
        ...(rest === undefined ? {} : { rest }),
      };
    }
    case 'cancel':
    case 'return':
      return { ...base, do: kind, of, ...drawPart(random, scenario) };
    case 'changeHeld': {
      const own = known.held.find(({ name: held }) => held === of)?.skus ?? [sku];
      const lines = Array.from({ length: random.between(1, 2) }, () => ({
        sku: random.chance(0.8) ? random.pick(own) : random.pick(scenario.items).sku,
        quantity: random.chance(0.3) ? 0 : random.below(6),
      }));
      return { ...base, do: kind, of, levels: random.pick([{ quantity: random.between(1, 6) }, { lines }]) };
    }
    case 'find':
      return { ...base, do: kind, of };
    case 'findId':
      return { ...base, do: kind, id: drawId(random) };
    case 'list': {
      const state = sometimes(random, 0.6, () =>
        random.pick<Phase>(['held', 'confirmed', 'cancelled', 'expired']),
      );
      const user = sometimes(random, 0.4, () => random.pick(users));
      const item = sometimes(random, 0.4, () => sku);
      const limit = sometimes(random, 0.3, () => random.between(1, 4));
      const after = sometimes(random, 0.3, () => of);
      return {
        ...base,
        do: kind,
        ...(state !== undefined && { state }),
        ...(user !== undefined && { user }),
        ...(item !== undefined && { sku: item }),
        ...(limit !== undefined && { limit }),
        ...(after !== undefined && { after }),
      };
    }
    case 'returnOf': {
      const buyer = known.bought.length > 0 && random.chance(0.6) ? random.pick(known.bought) : undefined;
      const ofBuyer = users.find((one) => textOf(one) === buyer?.user);
      const user = sometimes(random, 0.8, () => ofBuyer ?? random.pick(users));
      const line = { sku: buyer?.sku ?? sku, quantity: random.between(1, 4) };
      return { ...base, do: kind, line, ...(user === undefined ? {} : { user }) };
    }
    case 'extend':
      return { ...base, do: kind, of, ms: random.pick([1, 10, 500, 40_000]) };
    case 'stranger':
      return {
        ...base,
        do: kind,
        id: String(random.pick([0n, 1n, 2n ** 64n - 1n, BigInt(random.next()) << 32n])),
      };
    case 'restock':
    case 'withdraw':
      return { ...base, do: kind, sku, quantity: random.chance(0.02) ? 4_294_967_295 : random.between(1, 6) };
    case 'add':
      return {
        ...base,
        do: kind,
        item: drawItem(
          random,
          random.pick(skus),
          scenario.items.some((i) => i.shards),
          scenario.groups.length === 0 ? [] : groupNames,
        ),
      };
    case 'close':
      return random.chance(0.2) ? { ...base, do: kind, sku } : undefined;
    case 'addGroup':
    case 'changeGroup':
      return { ...base, do: kind, group: { name: random.pick(groupNames), perUser: random.between(1, 9) } };
    case 'reopen':
      return { ...base, do: kind, sku };
    case 'change': {
      const perUser = sometimes(random, 0.6, () => (random.chance(0.3) ? null : random.between(1, 9)));
      const most = random.chance(0.05) ? 4_294_967_295 : 9;
      const backorder = sometimes(random, 0.6, () => random.between(0, most));
      const sellForMs = sometimes(random, 0.3, () => random.pick([null, null, 1, 7.25, 900, 60_000]));
      const clamp = sometimes(random, 0.5, () => random.chance(0.5));
      return {
        ...base,
        do: kind,
        sku,
        ...(perUser === undefined ? {} : { perUser }),
        ...(backorder === undefined ? {} : { backorder }),
        ...(sellForMs === undefined ? {} : { sellForMs }),
        ...(clamp === undefined ? {} : { clamp }),
      };
    }
    case 'setTotal': {
      const total = random.chance(0.02) ? 4_294_967_295 : random.between(0, 30);
      const clamp = sometimes(random, 0.5, () => random.chance(0.5));
      return { ...base, do: kind, sku, total, ...(clamp === undefined ? {} : { clamp }) };
    }
    case 'configure':
      return { ...base, do: kind, holdMs: random.pick([1, 7.25, 100, 30_000]) };
    case 'restore': {
      if (known.snapshots.length === 0) return undefined;
      const grow = sometimes(random, 0.5, () => ({
        items: random.below(3),
        reservations: random.below(4),
        users: random.below(4),
        ids: random.chance(0.3),
      }));
      return { ...base, do: kind, of: random.pick(known.snapshots), ...(grow && { grow }) };
    }
    case 'expire':
    case 'snapshot':
    case 'die':
      return { ...base, do: kind };
    default:
      return undefined;
  }
}
