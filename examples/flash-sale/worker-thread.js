// @ts-check
import { Worker } from 'node:worker_threads';

/**
 * A worker thread of this program. It posts `ready` once, and ends with one `result`.
 * @template Result
 */
export class WorkerThread {
  /** @type {Worker} */
  #worker;

  /** @type {Promise<void>} */
  ready;

  /** @type {Promise<Result>} rejects when the thread fails or ends without a result */
  result;

  /**
   * @param {string} file  beside this one
   * @param {object} workerData
   */
  constructor(file, workerData) {
    const worker = new Worker(new URL(file, import.meta.url), { workerData, name: file });
    this.#worker = worker;
    this.result = new Promise((resolve, reject) => {
      worker.on('message', ({ type, value }) => {
        if (type === 'result') resolve(value);
      });
      worker.once('error', reject);
      worker.once('exit', (code) => reject(new Error(`${file} ended with code ${code} and no result`)));
    });
    this.ready = Promise.race([
      new Promise((resolve) => {
        worker.on('message', ({ type }) => {
          if (type === 'ready') resolve(undefined);
        });
      }),
      this.result.then(() => undefined),
    ]);
    // A caller that awaits these promises gets the failure. Until one does, the rejection must not end the
    // process.
    this.result.catch(() => {});
    this.ready.catch(() => {});
  }

  get thread() {
    return this.#worker;
  }

  /** Asks the thread to finish early. */
  stop() {
    this.#worker.postMessage({ type: 'stop' });
  }

  async terminate() {
    await this.#worker.terminate();
  }
}
