import { Options, optionError } from '../input/index.js';

/** How much a store may keep. */
export interface StoreOptions {
  /** The most records: 1 to 1,000,000,000. Default: 1,000,000. */
  readonly maxRecords?: number | undefined;
  /**
   * The most bytes that the records may have in all, with up to 56 bytes of sluice's own for each: 1 to 2^50. The files
   * of a store are larger by what their engine needs, usually less than twice as large. Default: 1 GiB.
   */
  readonly maxBytes?: number | undefined;
}

const maxRecordsDefault = 1_000_000;
const maxBytesDefault = 2 ** 30;

/** Checks the arguments of a function that makes a store. */
export function checkedBounds(
  where: string,
  path: unknown,
  options: unknown,
): { maxRecords: number; maxBytes: number } {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw optionError(`${where}: path`, 'the path of a file', path, typeof path !== 'string');
  }
  const given = new Options(where, options, ['maxRecords', 'maxBytes']);
  return {
    maxRecords: given.integer('maxRecords', 1, 1_000_000_000, maxRecordsDefault),
    maxBytes: given.integer('maxBytes', 1, 2 ** 50, maxBytesDefault),
  };
}
