import { Worker } from 'node:worker_threads';
import { SluiceError, type SluiceErrorCode } from '../input/index.js';
import { threadFile } from '../thread-file.js';
import { storeError } from './errors.js';
import { packed } from './packed.js';
import type { NewEntry, OpenStore, StoreContent, StoredEntry } from './store.js';
import type { TakenEntries } from './store-file.js';
import type { Answer, Call, ThreadData } from './store-thread.js';

/** Opens a store whose file is written and read in a thread of its own. `name`: as in `Store`. */
export async function openThreaded(name: string, data: ThreadData): Promise<OpenStore> {
  const thread = new Thread(name, data);
  const content = (await thread.call({ name: 'open' })) as StoreContent;
  return new ThreadedStore(thread, content, data.format.entryBytes);
}

class ThreadedStore implements OpenStore {
  readonly content: StoreContent;
  readonly #thread: Thread;
  readonly #entryBytes: number;

  constructor(thread: Thread, content: StoreContent, entryBytes: number) {
    this.#thread = thread;
    this.content = content;
    this.#entryBytes = entryBytes;
  }

  async append(entries: readonly NewEntry[]): Promise<void> {
    const all = packed(entries, this.#entryBytes);
    await this.#thread.call({ name: 'append', entries: all }, [all.bytes.buffer]);
  }

  async take(lane: number, after: number, max: number): Promise<StoredEntry[]> {
    const taken = (await this.#thread.call({ name: 'take', lane, after, max })) as TakenEntries;
    const { ids, deliveries, intact, bytes } = taken;
    const each = this.#entryBytes;
    return Array.from(ids, (id, i) => ({
      id,
      deliveries: deliveries[i] as number,
      bytes: intact[i] === 1 ? bytes.subarray(i * each, (i + 1) * each) : undefined,
    }));
  }

  async remove(lane: number, ids: readonly number[]): Promise<void> {
    await this.#thread.call({ name: 'remove', lane, ids: Float64Array.from(ids) });
  }

  async close(): Promise<void> {
    await this.#thread.end({ name: 'close' });
  }
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** The thread of a store. It keeps the process alive only while a call waits for its answer. */
class Thread {
  readonly #ended: Promise<void>;
  readonly #name: string;
  readonly #worker: Worker;
  /** The calls that wait, in the order in which they are answered. */
  readonly #waiting: Waiting[] = [];
  #failure: SluiceError | undefined;

  constructor(name: string, workerData: ThreadData) {
    this.#name = name;
    this.#worker = new Worker(
      threadFile(name, () => require.resolve('./store-thread.js')),
      {
        name: 'sluice-store',
        workerData,
        execArgv: [], // the flags of the program are not for this thread
      },
    );
    this.#worker.on('message', (answer: Answer) => this.#answered(answer));
    this.#worker.on('error', (error) => this.#end(error));
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#end(undefined);
        resolve();
      });
    });
  }

  call(call: Call, transfer: readonly ArrayBuffer[] = []): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage(call, transfer);
    });
  }

  /** Makes the last call, after which the thread ends. */
  async end(call: Call): Promise<void> {
    await this.call(call);
    this.#worker.ref();
    await this.#ended;
  }

  #answered(answer: Answer): void {
    const call = this.#waiting.shift();
    if (this.#waiting.length === 0) this.#worker.unref();
    if ('value' in answer) {
      call?.resolve(answer.value);
      return;
    }
    const { code, message, cause } = answer;
    // An error of the system has a code of its own.
    const known = code?.startsWith('ERR_SLUICE_') ? (code as SluiceErrorCode) : 'ERR_SLUICE_STORE_FAILED';
    call?.reject(new SluiceError(known, message, cause === undefined ? undefined : { cause }));
  }

  /** Called when the thread has ended, or is about to, because of `cause`. */
  #end(cause: unknown): void {
    this.#failure ??= storeError(
      'ERR_SLUICE_STORE_FAILED',
      this.#name,
      'the thread of the store has ended',
      cause,
    );
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}
