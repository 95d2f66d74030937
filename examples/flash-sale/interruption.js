// @ts-check

const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM']);

/** The first SIGINT or SIGTERM ends the sale in good order; a second one ends the process at once. */
export class Interruption {
  #happened = false;
  #resolve = () => {};

  /** @type {Promise<void>} */
  #promise = new Promise((resolve) => {
    this.#resolve = resolve;
  });

  #listener = () => {
    this.#happened = true;
    this.forget();
    this.#resolve();
  };

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#listener);
  }

  get happened() {
    return this.#happened;
  }

  /** @returns {Promise<void>} when a signal comes */
  wait() {
    return this.#promise;
  }

  forget() {
    for (const signal of SIGNALS) process.off(signal, this.#listener);
  }
}
