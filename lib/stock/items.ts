import {
  answers,
  byNumber,
  checkedAnswer,
  groupsAdded,
  itemChanges,
  itemsAdded,
  levelsSet,
  type NativeStock,
  stockLimits,
} from '../binding/index.js';
import { Options, optionError, quoted } from '../input/index.js';
import type { ItemChanged } from './answers.js';
import { countsOf, type StockCounts } from './figures.js';
import { type CheckedItem, checkedChanges, type StockGroup } from './options.js';
import { checkedGroupName, checkedSku, type StockStaging } from './staging.js';

const what = 'Stock';
const { quantity: quantityMax } = stockLimits;
const totalExpected = `a total of at most ${quantityMax}, the backorder cap included`;

const addedNames = byNumber(itemsAdded);
const groupNames = byNumber(groupsAdded);

/** The calls about items and groups. They are documented on `Stock`. */
export class ItemCalls {
  readonly #native: NativeStock;
  readonly #staging: StockStaging;
  /** The last item that this object added and that had a limit per user or a group then, for messages. */
  limited: string | undefined;

  constructor(native: NativeStock, staging: StockStaging) {
    this.#native = native;
    this.#staging = staging;
  }

  add(where: string, item: CheckedItem): 'added' | 'sku-exists' | 'items-full' | 'group-full' {
    this.#staging.begin();
    this.#staging.sku(item.sku);
    this.#staging.quantity(item.quantity);
    this.#staging.perUser(item.perUser);
    this.#staging.backorder(item.backorder);
    this.#staging.sellFor(item.sellForMs);
    this.#staging.shards(item.shards);
    this.#staging.group(item.group);
    const answer = checkedAnswer(what, this.#native.addItem());
    if (answer === answers.unknownGroup)
      throw optionError(`${where}: group`, 'the name of a group', item.group, false);
    const added = addedNames[answer] ?? 'items-full';
    if (added === 'added' && item.perUser > 0)
      this.limited = `item ${quoted(String(item.sku))} has a limit per user`;
    else if (added === 'added' && item.group !== undefined)
      this.limited = `item ${quoted(String(item.sku))} is in a group`;
    return added;
  }

  addGroup({ name, perUser }: StockGroup): 'added' | 'group-exists' | 'groups-full' {
    this.#staging.begin();
    this.#staging.sku(name);
    this.#staging.perUser(perUser);
    return groupNames[checkedAnswer(what, this.#native.addGroup())] ?? 'groups-full';
  }

  changeGroup(name: unknown, changes: unknown): boolean {
    const where = 'Stock.changeGroup';
    const group = checkedGroupName(`${where}: name`, name);
    const perUser = new Options(where, changes, ['perUser']).integer('perUser', 1, quantityMax);
    this.#staging.begin();
    this.#staging.sku(group);
    this.#staging.perUser(perUser);
    return checkedAnswer(what, this.#native.changeGroup()) === 1;
  }

  close(sku: unknown): boolean {
    this.#stageSku('Stock.closeItem', sku);
    return checkedAnswer(what, this.#native.closeItem()) === 1;
  }

  reopen(sku: unknown): boolean {
    this.#stageSku('Stock.reopenItem', sku);
    return checkedAnswer(what, this.#native.reopenItem()) === 1;
  }

  change(sku: number | string, changes: unknown, options: unknown): ItemChanged {
    const where = 'Stock.changeItem';
    const { perUser, backorder, sellForMs } = checkedChanges(where, changes);
    const clamp = new Options(where, options, ['clamp']).boolean('clamp', false);
    this.#stageSku(where, sku);
    this.#staging.perUser(perUser ?? 0);
    this.#staging.backorder(backorder ?? 0);
    this.#staging.sellFor(sellForMs ?? undefined);
    const bits =
      (perUser === undefined ? 0 : itemChanges.perUser) |
      (backorder === undefined ? 0 : itemChanges.backorder) |
      (sellForMs === undefined ? 0 : itemChanges.sellFor) |
      (clamp ? itemChanges.clamp : 0);
    const answer = this.#known(where, sku, this.#native.changeItem(bits));
    return this.#levelSet(sku, answer, `${where}: backorder`, backorder);
  }

  sellUntil(sku: number | string, atMs: number): void {
    const where = 'sellUntil';
    this.#stageSku(where, sku);
    this.#staging.sellUntil(atMs);
    this.#known(where, sku, this.#native.sellUntil());
  }

  restock(sku: number | string, quantity: unknown): StockCounts {
    const where = 'Stock.restock';
    this.#stageSku(where, sku);
    this.#stageQuantity(where, quantity);
    const answer = this.#known(where, sku, this.#native.restock());
    if (answer === 0) throw optionError(`${where}: quantity`, totalExpected, quantity, false);
    return this.counts(sku);
  }

  withdraw(sku: unknown, quantity: unknown): number {
    const where = 'Stock.withdraw';
    this.#stageSku(where, sku);
    this.#stageQuantity(where, quantity);
    return this.#known(where, sku, this.#native.withdraw());
  }

  setTotal(sku: number | string, total: unknown, options: unknown): ItemChanged {
    const where = 'Stock.setTotal';
    const units = new Options(where, { total }, ['total']).integer('total', 0, quantityMax);
    const clamp = new Options(where, options, ['clamp']).boolean('clamp', false);
    this.#stageSku(where, sku);
    this.#staging.quantity(units);
    const answer = this.#known(where, sku, this.#native.setTotal(clamp ? 1 : 0));
    return this.#levelSet(sku, answer, `${where}: total`, total);
  }

  counts(sku: unknown): StockCounts {
    this.#stageSku('Stock.counts', sku);
    const answer = this.#native.counts();
    if (answer === answers.unknownSku) {
      throw optionError('Stock.counts: sku', 'the sku of an item', sku, false);
    }
    checkedAnswer(what, answer);
    return countsOf(this.#staging.numbers, this.#staging.figures);
  }

  #levelSet(sku: number | string, answer: number, option: string, level: unknown): ItemChanged {
    if (answer === levelsSet['too-many']) throw optionError(option, totalExpected, level, false);
    const counts = this.counts(sku);
    return answer === levelsSet.done ? { ok: true, counts } : { ok: false, reason: 'units-taken', counts };
  }

  #stageSku(where: string, sku: unknown): void {
    const checked = checkedSku(`${where}: sku`, sku);
    this.#staging.begin();
    this.#staging.sku(checked);
  }

  #stageQuantity(where: string, quantity: unknown): void {
    const given = new Options(where, { quantity }, ['quantity']);
    this.#staging.quantity(given.integer('quantity', 1, quantityMax));
  }

  #known(where: string, sku: unknown, answer: number): number {
    if (answer === answers.unknownSku) throw optionError(`${where}: sku`, 'the sku of an item', sku, false);
    return checkedAnswer(what, answer);
  }
}
