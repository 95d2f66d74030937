import { stockLimits } from '../binding/index.js';
import { type ManualClock, nativeClock } from '../clock/index.js';
import { bare, copiedList, Options, optionError } from '../input/index.js';
import { checkedGroupName, checkedSku } from './staging.js';

/** An item for sale. */
export interface StockItem {
  /** A whole number from 0 to 4,294,967,295, or a text of 1 to 32 bytes of UTF-8. */
  readonly sku: number | string;
  /** Units on sale: 0 to 4,294,967,295. */
  readonly quantity: number;
  /** The most units that one user can hold or have bought: 1 to 4,294,967,295. Default: no limit. */
  readonly perUser?: number | undefined;
  /**
   * How many units can be reserved and sold beyond the total: units that are still to come. Together with `quantity` at
   * most 4,294,967,295. Default: 0, none. `Stock.counts` returns how many are backordered. An answer of `reserve` does
   * not show whether its own units are backordered, because units that come later reduce the sum, not the share of one
   * reservation. See `Stock.changeItem`.
   */
  readonly backorder?: number | undefined;
  /** The name of a group (see `groups`). Its items share a limit per user, which applies beside the item's own. */
  readonly group?: string | undefined;
  /**
   * Over how many cache lines the units are split: 1 (default) to 16. With more shards, threads that reserve the same
   * item at the same time disturb each other less. Each shard counts as one of `maxItems`, and a check whether the item
   * is sold out reads all of them. The item is sold out when all its shards are.
   */
  readonly shards?: number | undefined;
  /**
   * For how long from now units can be reserved, in milliseconds: 1 to 31,622,400,000 (366 days). After that, requests
   * are refused as 'sale-over'; units that are held can still be confirmed. The time goes on while the machine is
   * suspended. A request that is being decided just then may still take units. Default: without an end.
   */
  readonly sellForMs?: number | undefined;
}

/** A group: items that share a limit per user. */
export interface StockGroup {
  /** Its name: 1 to 32 bytes of UTF-8. */
  readonly name: string;
  /** The most units of all its items together that one user can hold or have bought: 1 to 4,294,967,295. */
  readonly perUser: number;
}

/** The options of `Stock.create`. */
export interface StockOptions {
  /** The items on sale, each sku once; more can be added later. */
  readonly items: readonly StockItem[];
  /** Groups of items, each name once, at most 64 with at most 64 items each; more can be added later. */
  readonly groups?: readonly StockGroup[] | undefined;
  /** Room for items and their shards: 1 to 65,536. Default: 1,024, or as many as `items` need. */
  readonly maxItems?: number | undefined;
  /**
   * The most reservations held at the same time, where each item of a cart counts: 1 to 16,777,216. Default: 65,536.
   * One more is refused as 'ledger-full'.
   */
  readonly maxReservations?: number | undefined;
  /**
   * The most pairs of a user and an item of which the user holds or has bought units, where only items with a per-user
   * limit or in a group count: 1 to 67,108,864. One more is refused as 'users-full'. A pair costs 59 to 119 bytes.
   * Default: the units of the limited items of `items`, their backorders included, because no more users can have a
   * unit; but at least 65,536 and at most 262,144. `Stock.restore` can take more later.
   */
  readonly maxUsers?: number | undefined;
  /**
   * The most client ids that are remembered: 1 to 67,108,864. Default: 65,536. A new id beyond them displaces one whose
   * reservation is resolved, the oldest of a neighbourhood of 16 first; refused ids are forgotten before admitted ones.
   * Up to `maxIds` ids can be held at the same time; beyond that, an id whose neighbours are all held is refused as
   * 'ids-full'.
   */
  readonly maxIds?: number | undefined;
  /** How long a reservation is held before it expires, in milliseconds: 1 to 86,400,000. Default: 30,000. */
  readonly holdMs?: number | undefined;
  /**
   * Changes of stock kept for `movements()`, rounded up to a power of two: 0 (none are kept) to 16,777,216. Default:
   * 4,096.
   */
  readonly movements?: number | undefined;
  /**
   * Makes all memory of the ledger resident at creation, so that it cannot run out later: a system that has too little
   * refuses it, or ends the process, at creation. This takes some tenths of a second for each gigabyte. Default: false;
   * then creation takes only address space, and a page becomes resident when it is first written.
   */
  readonly commit?: boolean | undefined;
  /**
   * A manual clock for tests; then no timer expires reservations: see `Stock.expire`. Default: the machine's monotonic
   * clock.
   */
  readonly clock?: ManualClock | undefined;
}

/** The changes for `Stock.changeItem`. */
export interface ItemChanges {
  /** The most units that one user can hold or have bought: 1 to 4,294,967,295; null: no limit. */
  readonly perUser?: number | null | undefined;
  /**
   * How many units can be reserved and sold beyond the total: 0 (none) to 4,294,967,295. Together with the total it is
   * at most 4,294,967,295.
   */
  readonly backorder?: number | undefined;
  /**
   * For how long from now units can be reserved, in milliseconds: 1 to 31,622,400,000 (366 days), whatever was set
   * before; null: without an end. See `StockItem.sellForMs`.
   */
  readonly sellForMs?: number | null | undefined;
}

/** The changes for `Stock.configure`. */
export interface StockChanges {
  /** As the option of `Stock.create`. */
  readonly holdMs?: number | undefined;
}

/** The options of `Stock.restore`. A size that is left out is the snapshot's. */
export interface RestoreOptions {
  /** A manual clock for tests. Default: the machine's monotonic clock. */
  readonly clock?: ManualClock | undefined;
  /**
   * As the option of `Stock.create`, like the other sizes here. At least as many as the snapshot's items and their
   * shards take.
   */
  readonly maxItems?: number | undefined;
  /**
   * At least the number of places that are or were in use, because reservations keep their bigints; at most 16,777,216.
   * Default: the snapshot's.
   */
  readonly maxReservations?: number | undefined;
  /**
   * At least the number of pairs of a user and an item of which the user holds or has bought units; at most 67,108,864.
   * Default: the snapshot's.
   */
  readonly maxUsers?: number | undefined;
  /** At least the number of ids that are remembered; at most 67,108,864. Default: the snapshot's. */
  readonly maxIds?: number | undefined;
  /** As the option of `Stock.create`. */
  readonly commit?: boolean | undefined;
  /** Any size, 0 to 16,777,216: the movements begin anew. Default: the snapshot's. */
  readonly movements?: number | undefined;
}

export interface CheckedItem {
  readonly sku: number | string;
  readonly quantity: number;
  /** 0: no limit. */
  readonly perUser: number;
  readonly backorder: number;
  readonly shards: number;
  readonly group: string | undefined;
  /** Undefined means without an end. */
  readonly sellForMs: number | undefined;
}

/** The most units of an item. */
export const quantityMax: number = stockLimits.quantity;
/** The longest hold, in milliseconds. */
export const holdMsMax: number = stockLimits.holdMs;
const {
  items: itemsMax,
  shards: shardsMax,
  groups: groupsMax,
  groupMembers: membersMax,
  sellForMs: sellForMsMax,
} = stockLimits;

/** The smallest and the largest size of each table. */
const sizes = {
  maxItems: [1, itemsMax],
  maxReservations: [1, stockLimits.reservations],
  maxUsers: [1, stockLimits.users],
  maxIds: [1, stockLimits.ids],
  movements: [0, stockLimits.movements],
} as const;
const usersDefault = { least: 65_536, most: 262_144 };

/** Returns room for every user that can have a unit, within the bounds of the default. */
function usersFor(items: readonly CheckedItem[]): number {
  const counted = items.filter(({ perUser, group }) => perUser > 0 || group !== undefined);
  const units = counted.reduce((sum, { quantity, backorder }) => sum + quantity + backorder, 0);
  return Math.min(Math.max(units, usersDefault.least), usersDefault.most);
}

export function checkedRestoring(
  where: string,
  options: unknown,
): { clock?: object } & Record<string, unknown> {
  const given = new Options(where, options, ['clock', 'commit', ...Object.keys(sizes)]);
  // Without a prototype, whose setters would get the values.
  const native: Record<string, unknown> = bare({
    clock: nativeClock(where, given.get('clock')),
    commit: given.boolean('commit', false),
  });
  for (const [name, [least, most]] of Object.entries(sizes)) {
    if (given.has(name)) native[name] = given.integer(name, least, most);
  }
  return native;
}

export function checkedItem(where: string, item: unknown): CheckedItem {
  const known = ['sku', 'quantity', 'perUser', 'backorder', 'group', 'shards', 'sellForMs'];
  const one = new Options(where, item, known);
  const sku = checkedSku(`${where}: sku`, one.get('sku'));
  const quantity = one.integer('quantity', 0, quantityMax);
  return {
    sku,
    quantity,
    perUser: one.has('perUser') ? one.integer('perUser', 1, quantityMax) : 0,
    backorder: one.integer('backorder', 0, quantityMax - quantity, 0),
    shards: one.integer('shards', 1, shardsMax, 1),
    group: one.has('group') ? checkedGroupName(`${where}: group`, one.get('group')) : undefined,
    sellForMs: one.has('sellForMs') ? one.number('sellForMs', 1, sellForMsMax) : undefined,
  };
}

export interface CheckedChanges {
  /** Undefined means unchanged. */
  readonly perUser: number | undefined;
  readonly backorder: number | undefined;
  /** Null means without an end. */
  readonly sellForMs: number | null | undefined;
}

export function checkedChanges(where: string, changes: unknown): CheckedChanges {
  const given = new Options(where, changes, ['perUser', 'backorder', 'sellForMs']);
  const limit = (): number => (given.get('perUser') === null ? 0 : given.integer('perUser', 1, quantityMax));
  const time = (): number | null =>
    given.get('sellForMs') === null ? null : given.number('sellForMs', 1, sellForMsMax);
  return {
    perUser: given.has('perUser') ? limit() : undefined,
    backorder: given.has('backorder') ? given.integer('backorder', 0, quantityMax) : undefined,
    sellForMs: given.has('sellForMs') ? time() : undefined,
  };
}

export function checkedGroup(where: string, group: unknown): StockGroup {
  const one = new Options(where, group, ['name', 'perUser']);
  return {
    name: checkedGroupName(`${where}: name`, one.get('name')),
    perUser: one.integer('perUser', 1, quantityMax),
  };
}

export interface CheckedStock {
  readonly groups: readonly StockGroup[];
  readonly items: readonly CheckedItem[];
  readonly native: object;
}

export function checkedOptions(options: StockOptions): CheckedStock {
  const where = 'Stock.create';
  const known = [
    'items',
    'groups',
    'maxItems',
    'maxReservations',
    'maxUsers',
    'maxIds',
    'holdMs',
    'movements',
    'commit',
    'clock',
  ];
  const given = new Options(where, options, known);
  const listed = given.get('items');
  const list = copiedList(listed, 0, itemsMax);
  if (list === undefined) {
    const expected = `an array of at most ${itemsMax} items`;
    throw optionError(`${where}: items`, expected, listed, !Array.isArray(listed));
  }
  const items = list.map((item, i) => checkedItem(`${where}: items[${i}]`, item));
  const skus = new Set<number | string>();
  for (const [i, { sku }] of items.entries()) {
    if (skus.has(sku))
      throw optionError(`${where}: items[${i}]: sku`, 'a sku that no other item has', sku, false);
    skus.add(sku);
  }
  const groups = checkedGroups(where, given.get('groups'), items);
  const lines = items.reduce((sum, { shards }) => sum + shards, 0);
  if (lines > itemsMax) {
    throw optionError(
      `${where}: items`,
      `at most ${itemsMax} shards, an item with none counted as one`,
      lines,
      false,
    );
  }
  return {
    groups,
    items,
    native: {
      maxItems: given.integer('maxItems', Math.max(lines, 1), itemsMax, Math.max(lines, 1_024)),
      maxReservations: given.integer('maxReservations', ...sizes.maxReservations, 65_536),
      maxUsers: given.integer('maxUsers', ...sizes.maxUsers, usersFor(items)),
      maxIds: given.integer('maxIds', ...sizes.maxIds, 65_536),
      movements: given.integer('movements', ...sizes.movements, 4_096),
      holdMs: given.number('holdMs', 1, holdMsMax, 30_000),
      commit: given.boolean('commit', false),
      clock: nativeClock(where, given.get('clock')),
    },
  };
}

function checkedGroups(where: string, groups: unknown, items: readonly CheckedItem[]): StockGroup[] {
  const list = groups === undefined ? [] : copiedList(groups, 0, groupsMax);
  if (list === undefined) {
    const expected = `an array of at most ${groupsMax} groups`;
    throw optionError(`${where}: groups`, expected, groups, !Array.isArray(groups));
  }
  const checked = list.map((group, i) => checkedGroup(`${where}: groups[${i}]`, group));
  const members = new Map<string, number>();
  for (const [i, { name }] of checked.entries()) {
    if (members.has(name)) {
      const expected = 'a name that no other group has';
      throw optionError(`${where}: groups[${i}]: name`, expected, name, false);
    }
    members.set(name, 0);
  }
  for (const [i, { group }] of items.entries()) {
    if (group === undefined) continue;
    const count = members.get(group);
    if (count === undefined || count === membersMax) {
      const expected = count === undefined ? 'the name of a group' : `a group of at most ${membersMax} items`;
      throw optionError(`${where}: items[${i}]: group`, expected, group, false);
    }
    members.set(group, count + 1);
  }
  return checked;
}
