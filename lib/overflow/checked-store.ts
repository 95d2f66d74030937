import { isUint8Array } from 'node:util/types';
import { isSafeInteger } from '../input/index.js';
import { storeError } from './errors.js';
import type { OpenStore, Store, StoreContent, StoredEntry, StoreFormat } from './store.js';

/** One more than the greatest number of an entry: see `NewEntry.id`. */
const idEnd = 2 ** 50;

/**
 * Opens a store, and checks what it answers, because a program may have written it. An open store that answers nothing
 * of use is refused with an error that names the field. An answer of `take` is put right, so that no lane stands still
 * for ever: `wrong` is called with the error, an entry whose bytes cannot be those of an entry counts as damaged, and
 * one whose number cannot be there is left out, so that it counts as lost.
 */
export async function openChecked(
  store: Store,
  format: StoreFormat,
  wrong: (error: unknown) => void,
): Promise<OpenStore> {
  const opened = await store.open(format);
  const refuse = (field: string, expected: string): Error =>
    storeError('ERR_SLUICE_STORE_FAILED', store.name, `its ${field} must be ${expected}`);
  for (const name of ['append', 'take', 'remove', 'close'] as const) {
    if (typeof opened?.[name] !== 'function') throw refuse(name, 'a function');
  }
  const content = checkedContent(opened.content, format, refuse);
  return {
    content,
    append: (entries) => opened.append(entries),
    async take(lane, after, max) {
      const taken: unknown = await opened.take(lane, after, max);
      if (!Array.isArray(taken)) throw refuse('answer to take', 'an array');
      const { entries, fault } = putRight(taken, after, max, format.entryBytes);
      if (fault !== undefined) wrong(refuse(`answer to take: ${fault.field}`, fault.expected));
      return entries;
    },
    remove: (lane, ids) => opened.remove(lane, ids),
    close: () => opened.close(),
  };
}

function checkedContent(
  given: StoreContent,
  { lanes }: StoreFormat,
  refuse: (field: string, expected: string) => Error,
): StoreContent {
  const { lanes: counts, lastId, lost = 0, damage } = given ?? {};
  if (!(Array.isArray(counts) && counts.length === lanes && counts.every(isCount))) {
    throw refuse('content.lanes', `the number of entries of each of ${lanes} lanes`);
  }
  if (!(isCount(lastId) && lastId < idEnd)) throw refuse('content.lastId', 'a whole number below 2^50');
  if (!isCount(lost)) throw refuse('content.lost', 'a whole number');
  return { lanes: counts, lastId, lost, damage: damage === undefined ? undefined : String(damage) };
}

interface Fault {
  readonly field: string;
  readonly expected: string;
}

function putRight(
  taken: readonly unknown[],
  after: number,
  max: number,
  entryBytes: number,
): { readonly entries: StoredEntry[]; readonly fault: Fault | undefined } {
  const entries: StoredEntry[] = [];
  let fault: Fault | undefined;
  let last = after;
  for (const each of taken.slice(0, max)) {
    const { id, deliveries, bytes } = (each ?? {}) as Partial<Record<keyof StoredEntry, unknown>>;
    if (!(isCount(id) && id > last && id < idEnd)) {
      fault ??= { field: 'id', expected: `a whole number above ${last} and below 2^50` };
      continue;
    }
    last = id;
    const isCounted = isCount(deliveries) && deliveries > 0;
    if (!isCounted) fault ??= { field: 'deliveries', expected: 'a whole number above 0' };
    const isWhole = isUint8Array(bytes) && bytes.length === entryBytes;
    if (!isWhole && bytes !== undefined) fault ??= { field: 'bytes', expected: `${entryBytes} bytes` };
    // Without a count it may have been delivered before.
    entries.push({ id, deliveries: isCounted ? deliveries : 2, bytes: isWhole ? bytes : undefined });
  }
  return { entries, fault };
}

function isCount(value: unknown): value is number {
  return isSafeInteger(value) && (value as number) >= 0;
}
