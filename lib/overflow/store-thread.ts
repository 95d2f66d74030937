/** The thread of a store: it opens the file, and answers one call after another. Started by threaded-store.ts. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { LmdbFile } from './lmdb-file.js';
import type { PackedEntries } from './packed.js';
import { SqliteFile } from './sqlite-file.js';
import type { StoreContent, StoreFormat } from './store.js';
import type { StoreFile, TakenEntries } from './store-file.js';

/** What the thread is started with. */
export interface ThreadData {
  readonly engine: 'sqlite' | 'lmdb';
  readonly path: string;
  readonly format: StoreFormat;
}

/** A call, as it comes to this thread. Calls are answered in their order. */
export type Call =
  | { readonly name: 'open' }
  | { readonly name: 'append'; readonly entries: PackedEntries }
  | { readonly name: 'take'; readonly lane: number; readonly after: number; readonly max: number }
  | { readonly name: 'remove'; readonly lane: number; readonly ids: Float64Array<ArrayBuffer> }
  | { readonly name: 'close' };

/** The answer to a call. An error crosses as its code, its text and its cause, because only these survive a clone. */
export type Answer =
  | { readonly value: StoreContent | TakenEntries | undefined }
  | { readonly code: string | undefined; readonly message: string; readonly cause: unknown };

const engines: Record<ThreadData['engine'], (path: string, format: StoreFormat) => Promise<StoreFile>> = {
  sqlite: SqliteFile.open,
  lmdb: LmdbFile.open,
};

let file: StoreFile | undefined;

/** Resolves when the calls before are answered: opening may take longer than it takes the next call to come. */
let turn: Promise<unknown> = Promise.resolve();

async function open(): Promise<StoreContent> {
  const { engine, path, format } = workerData as ThreadData;
  file = await engines[engine](path, format);
  return file.content;
}

async function answerTo(call: Call): Promise<Answer> {
  try {
    if (call.name === 'open') return { value: await open() };
    const opened = file as StoreFile;
    switch (call.name) {
      case 'append':
        opened.append(call.entries);
        return { value: undefined };
      case 'take':
        return { value: opened.take(call.lane, call.after, call.max) };
      case 'remove':
        opened.remove(call.lane, call.ids);
        return { value: undefined };
      case 'close':
        opened.close();
        return { value: undefined };
    }
  } catch (error) {
    const { code, message, cause } = error as Error & { readonly code?: string };
    return {
      code,
      message,
      cause: cause instanceof Error ? { ...cause, message: cause.message } : undefined,
    };
  }
}

const port = parentPort as MessagePort;

async function handle(call: Call): Promise<void> {
  const answer = await answerTo(call);
  const taken = 'value' in answer && answer.value !== undefined && 'intact' in answer.value;
  port.postMessage(answer, taken ? [(answer.value as TakenEntries).bytes.buffer] : []);
  if (call.name === 'close' || file === undefined) port.close();
}

port.on('message', (call: Call) => {
  turn = turn.then(() => handle(call));
});
