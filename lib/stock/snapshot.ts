import { alive, isUint8Array, made, type NativeStock, native, newBuffer } from '../binding/index.js';
import { optionError } from '../input/index.js';
import { checkedRestoring, type RestoreOptions } from './options.js';

/** See `Stock.restore`. Checks the arguments at once, and returns the function that makes the ledger. */
export function restorer(
  snapshot: unknown,
  options: RestoreOptions | undefined,
): (staging: ArrayBuffer) => NativeStock {
  const where = 'Stock.restore';
  if (!isUint8Array(snapshot)) throw optionError(`${where}: snapshot`, 'a Uint8Array', snapshot, true);
  const checked = checkedRestoring(where, options);
  return (staging) => {
    const answer = native.restoreStock(snapshot, checked, staging);
    // If the answer is the name of an option, the table with that size would be too small.
    if (typeof answer !== 'string' || !Object.hasOwn(checked, answer)) return made(where, answer);
    throw optionError(`${where}: ${answer}`, 'room for what the snapshot has', checked[answer], false);
  };
}

/** See `Stock.snapshot`. */
export function snapshotOf(stock: NativeStock): Uint8Array {
  return new Uint8Array(alive('Stock.snapshot', stock.snapshot(newBuffer)));
}
