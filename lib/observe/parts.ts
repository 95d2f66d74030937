import { setImmediate } from 'node:timers';
import { type Gate, type GateStats, insideGate } from '../gate/index.js';
import { copiedList, Options, optionError, SluiceError } from '../input/index.js';
import { Limiter, type LimiterStats } from '../limiter/index.js';
import { Queue, type QueueStats, type WaitHistogram } from '../queue/index.js';
import { Stock, type StockCounts, type StockStats } from '../stock/index.js';

/** The objects whose figures are exported. At least one is needed. */
export interface ObservedParts {
  /** A queue. Its waits are exported if it has the option `latency`. */
  readonly queue?: Queue<unknown> | undefined;
  /** A limiter. */
  readonly limiter?: Limiter | undefined;
  /** A stock. */
  readonly stock?: Stock | undefined;
  /** A gate. Its queue, limiter and stock are exported only if they are given, too. */
  readonly gate?: Pick<Gate<unknown>, 'stats'> | undefined;
  /**
   * The items of the stock whose units are exported: at most 1,000 different SKUs. The first 100 are named by the label
   * `item`; the units of the others are added up under the item 'other'. Default: none.
   */
  readonly skus?: ReadonlyArray<number | string> | undefined;
  /**
   * Labels of all series of these objects, to tell them from other objects of the kind: at most 16. A name consists of
   * letters, digits and underscores, begins with no digit and not with two underscores, and is not a label of sluice
   * itself; a value has at most 256 characters, and no control character. Default: none.
   */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** The units of an item, or of several. */
export interface ItemUnits {
  readonly item: string;
  readonly counts: Pick<StockCounts, 'available' | 'reserved' | 'sold'>;
}

/** The figures of the parts at one moment. A part that is not observed, or was disposed of, is undefined. */
export interface Readings {
  readonly queue: (QueueStats & { readonly room: number; readonly waits: Waits | undefined }) | undefined;
  readonly limiter: LimiterStats | undefined;
  readonly stock: (StockStats & { readonly units: readonly ItemUnits[] }) | undefined;
  readonly gate: GateStats | undefined;
}
export type PartName = keyof Readings;

/** The waits of a queue: since its creation, and in the last interval. */
export interface Waits {
  readonly all: WaitHistogram;
  readonly recent: WaitHistogram;
}

/** The names of the labels that sluice sets itself. */
const ownLabels = [...['le', 'quantile', 'reason', 'outcome', 'decision', 'tier', 'result', 'item', 'state']];
const labelsMax = 16;
const labelLengthMax = 256;
const skusMax = 1_000;
/** How many items have series of their own. */
const namedMax = 100;
const other = 'other';
/** An interval of waits has at least this length, in milliseconds: readers that alternate do not cut it short. */
const intervalMsMin = 1_000;

/** The objects that one call observes, checked, and their figures. */
export class Parts {
  readonly labels: Readonly<Record<string, string>>;
  readonly #objects: { readonly [Name in PartName]: ObservedParts[Name] | undefined };
  readonly #skus: ReadonlyArray<number | string>;
  readonly #gone = new Set<PartName>();
  #readings: Readings | undefined;
  /** The waits at the ends of the last interval. */
  #before: WaitHistogram | undefined;
  #until: { readonly at: number; readonly waits: WaitHistogram } | undefined;

  constructor(where: string, given: Options) {
    const { queue, limiter, stock, gate } = given.own;
    this.#objects = {
      queue: checked(where, 'queue', queue, (value) => value instanceof Queue),
      limiter: checked(where, 'limiter', limiter, (value) => value instanceof Limiter),
      stock: checked(where, 'stock', stock, (value) => value instanceof Stock),
      gate: checked(where, 'gate', gate, isGate),
    };
    if (this.names.length === 0) {
      throw optionError(where, 'a queue, a limiter, a stock or a gate', undefined, true);
    }
    this.labels = checkedLabels(where, given.get('labels'));
    this.#skus = checkedSkus(`${where}: skus`, given.get('skus'), this.#objects.stock);
  }

  /** The names of the options that parts are read from. */
  static readonly options: readonly string[] = ['queue', 'limiter', 'stock', 'gate', 'skus', 'labels'];

  /** The parts that were given and not disposed of. */
  get names(): PartName[] {
    const names = Object.keys(this.#objects) as PartName[];
    return names.filter((name) => this.#objects[name] !== undefined && !this.#gone.has(name));
  }

  /**
   * Returns the figures. Calls of the same turn of the event loop get the same ones: the metrics of one scrape are read
   * one by one.
   */
  read(): Readings {
    if (this.#readings === undefined) {
      this.#readings = this.readNow();
      setImmediate(() => {
        this.#readings = undefined;
      });
    }
    return this.#readings;
  }

  readNow(): Readings {
    return {
      queue: this.#read('queue', (queue) => {
        return { ...queue.stats(), room: queue.capacity * queue.lanes, waits: this.#waitsOf(queue) };
      }),
      limiter: this.#read('limiter', (limiter) => limiter.stats()),
      stock: this.#read('stock', (stock) => ({ ...stock.stats(), units: this.#unitsOf(stock) })),
      gate: this.#read('gate', (gate) => gate.stats()),
    };
  }

  #read<Name extends PartName, R>(
    name: Name,
    read: (part: NonNullable<ObservedParts[Name]>) => R,
  ): R | undefined {
    const part = this.#objects[name];
    if (part === undefined || this.#gone.has(name)) return undefined;
    try {
      return read(part as NonNullable<ObservedParts[Name]>);
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'ERR_SLUICE_DISPOSED') throw error;
      this.#gone.add(name); // for good: what was disposed of stays so
      return undefined;
    }
  }

  #waitsOf(queue: Queue<unknown>): Waits | undefined {
    const all = queue.waits();
    if (all === undefined) return undefined;
    const now = performance.now();
    if (this.#until === undefined || now - this.#until.at >= intervalMsMin) {
      this.#before = this.#until?.waits;
      this.#until = { at: now, waits: all };
    }
    const recent = this.#before === undefined ? this.#until.waits : this.#until.waits.since(this.#before);
    return { all, recent };
  }

  #unitsOf(stock: Stock): ItemUnits[] {
    const named = this.#skus
      .slice(0, namedMax)
      .map((sku) => ({ item: String(sku), counts: stock.counts(sku) }));
    if (this.#skus.length <= namedMax) return named;
    const rest = { available: 0, reserved: 0, sold: 0 };
    for (const sku of this.#skus.slice(namedMax)) {
      const counts = stock.counts(sku);
      rest.available += counts.available;
      rest.reserved += counts.reserved;
      rest.sold += counts.sold;
    }
    return [...named, { item: other, counts: rest }];
  }
}

function isGate(value: unknown): value is Gate<unknown> {
  return insideGate(value as Gate<unknown>) !== undefined;
}

function checked<T>(
  where: string,
  name: string,
  value: unknown,
  isOne: (value: unknown) => value is T,
): T | undefined {
  if (value === undefined || isOne(value)) return value;
  throw optionError(`${where}: ${name}`, `a ${name}`, value, true);
}

function checkedLabels(where: string, given: unknown): Readonly<Record<string, string>> {
  const what = `${where}: labels`;
  if (given === undefined) return {};
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw optionError(what, 'an object with texts', given, true);
  }
  // The labels of a Map, for one, are no properties, and would be lost.
  const prototype = Object.getPrototypeOf(given);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    throw optionError(what, 'a plain object with texts', given, true);
  const labels = Object.entries(given);
  if (labels.length > labelsMax) throw optionError(what, `at most ${labelsMax} labels`, labels.length, false);
  for (const [name, value] of labels) {
    if (
      !/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ||
      name.length > labelLengthMax ||
      ownLabels.includes(name)
    ) {
      const expected = `a name of letters, digits and underscores, and none of ${ownLabels.join(', ')}`;
      throw optionError(`${what}: name`, expected, name, false);
    }
    const expected = `a text of at most ${labelLengthMax} characters without control characters`;
    if (typeof value !== 'string') throw optionError(`${what}.${name}`, expected, value, true);
    if (value.length > labelLengthMax || !value.isWellFormed() || /\p{Cc}/u.test(value)) {
      throw optionError(`${what}.${name}`, expected, value, false);
    }
  }
  return Object.fromEntries(labels) as Record<string, string>;
}

function checkedSkus(what: string, given: unknown, stock: Stock | undefined): ReadonlyArray<number | string> {
  if (given === undefined) return [];
  if (stock === undefined) throw optionError(what, 'undefined (no stock is given)', given, true);
  const list = copiedList(given, 0, skusMax);
  if (list === undefined) {
    throw optionError(what, `an array of at most ${skusMax} SKUs`, given, !Array.isArray(given));
  }
  const seen = new Set<string>(list.length > namedMax ? [other] : []);
  for (const [i, sku] of list.entries()) {
    const name = `${what}[${i}]`;
    if (typeof sku !== 'number' && typeof sku !== 'string') {
      throw optionError(name, 'the sku of an item', sku, true);
    }
    if (seen.has(String(sku))) throw optionError(name, 'a sku whose text no other item has', sku, false);
    seen.add(String(sku));
    try {
      stock.counts(sku);
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'ERR_SLUICE_OPTION') {
        throw optionError(name, 'the sku of an item', sku, false);
      }
      throw error;
    }
  }
  return list as Array<number | string>;
}

/** Reads the options of `where`: those of `Parts`, and `more`. */
export function partsOptions(where: string, options: unknown, more: readonly string[] = []): Options {
  if (options === undefined) throw optionError(where, 'an object of options', options, true);
  return new Options(where, options, [...Parts.options, ...more]);
}
