import { Worker } from 'node:worker_threads';

/** A message that a test's worker posts. */
export interface Message {
  readonly type: string;
  readonly [property: string]: unknown;
}

/**
 * A worker thread of a test. A test waits for its messages by their type. When the thread fails or ends, every pending
 * wait fails with the reason, so that no test waits for a thread that is gone.
 */
export class WorkerThread {
  readonly worker: Worker;
  /** The exit code; never rejects. */
  readonly exited: Promise<number>;
  readonly #messages: Message[] = [];
  readonly #waiting = new Set<() => void>();
  #ended: Error | undefined;

  constructor(url: URL, workerData: unknown = {}) {
    this.worker = new Worker(url, { workerData, execArgv: [] });
    this.worker.on('message', (message: Message) => {
      this.#messages.push(message);
      this.#wake();
    });
    this.worker.on('error', (error) => {
      this.#ended = error as Error;
      this.#wake();
    });
    this.exited = new Promise((resolve) => {
      this.worker.on('exit', (code) => {
        this.#ended ??= new Error(`the worker ended with exit code ${code}`);
        this.#wake();
        resolve(code);
      });
    });
  }

  /** Returns the oldest message of this type that was not returned before. */
  async message<M extends object>(type: string): Promise<M> {
    for (;;) {
      const index = this.#messages.findIndex((message) => message.type === type);
      if (index >= 0) return this.#messages.splice(index, 1)[0] as unknown as M;
      if (this.#ended !== undefined)
        throw new Error(`no message "${type}": ${this.#ended.message}`, { cause: this.#ended });
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  post(message: Message): void {
    this.worker.postMessage(message);
  }

  /** The reason why the thread failed or ended; undefined while it runs. */
  get failure(): Error | undefined {
    return this.#ended;
  }

  async terminate(): Promise<void> {
    await this.worker.terminate();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** Runs `act` with these threads and ends them afterwards, whatever happens. */
export async function withThreads<T>(threads: readonly WorkerThread[], act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}
