import type { QueueHandle } from 'sluice';
import { WorkerThread } from '../worker-thread.js';

interface Answer {
  readonly value?: unknown;
  readonly code?: string;
}
interface Call {
  /** The name of a kept object. Default: the queue. */
  readonly on?: string;
  /** Keeps what the call returns under this name. */
  readonly keep?: string;
  /** Adds a signal of this name to the call's last argument: see `abort`. */
  readonly signal?: string;
}

/** A queue object in its own worker thread. */
export class RemoteQueue {
  readonly thread: WorkerThread;
  #calls = 0;

  private constructor(handle: QueueHandle, spills: boolean) {
    this.thread = new WorkerThread(new URL('./workers/remote.js', import.meta.url), { handle, spills });
  }

  /**
   * `spills` is for the policy 'caller': `call('take', [], { on: 'spilled' })` returns the records that have found no
   * room since the last such call.
   */
  static async attach(handle: QueueHandle, spills = false): Promise<RemoteQueue> {
    const remote = new RemoteQueue(handle, spills);
    await remote.thread.message('ready');
    return remote;
  }

  /** Resolves to what the call returns; rejects with an error that has the code of the call's error. */
  async call(
    method: string,
    args: readonly unknown[] = [],
    { on = 'queue', keep, signal }: Call = {},
  ): Promise<unknown> {
    const id = this.#calls++;
    this.thread.post({ type: 'call', id, on, method, args, keep, signal });
    const { value, code } = await this.thread.message<Answer>(`answer ${id}`);
    if (code !== undefined) throw Object.assign(new Error(code), { code });
    return value;
  }

  abort(signal: string): void {
    this.thread.post({ type: 'abort', signal });
  }

  /** Ends the thread by `process.exit()`. */
  async end(): Promise<void> {
    this.thread.post({ type: 'end' });
    await this.thread.exited;
  }
}
