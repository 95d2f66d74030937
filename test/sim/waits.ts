import { codeOf, Divergence, same } from './divergence.js';

const patienceMs = 5_000;

/** The promises of operations that wait. Each must settle when the auditor predicts it, and not before. */
export class Waits<T> {
  readonly #promises = new Map<number, Promise<void>>();
  readonly #settled = new Map<number, unknown>();

  /** `shown` returns what is compared of a result. */
  add(name: number, promise: Promise<T>, shown: (result: T) => unknown): void {
    const settled = promise.then(
      (result) => this.#settled.set(name, shown(result)),
      (error: unknown) => this.#settled.set(name, error === aborted ? 'aborted' : { error: codeOf(error) }),
    );
    this.#promises.set(
      name,
      settled.then(() => undefined),
    );
  }

  get pending(): number[] {
    return [...this.#promises.keys()];
  }

  /** Waits until those of `expected` are settled, and compares their results. No other may be settled. */
  async settle(what: string, expected: ReadonlyMap<number, unknown>): Promise<void> {
    for (const [name, outcome] of expected) {
      const promise = this.#promises.get(name);
      if (promise === undefined)
        throw new Divergence(`${what} ${name}: the auditor predicts the end of a wait that does not exist`);
      if (!this.#settled.has(name)) await inTime(promise, `${what} of step ${name} should have ended`);
      same(`${what} of step ${name}`, this.#settled.get(name), outcome);
      this.#promises.delete(name);
      this.#settled.delete(name);
    }
    for (const [name, outcome] of this.#settled) {
      same(`${what} of step ${name}, which should go on waiting`, outcome, undefined);
    }
  }
}

/** The reason of every abort in a simulation. */
export const aborted = new Error('aborted by the simulation');

/** Returns what a promise resolves to. If it does not resolve, that is a divergence. */
export async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Divergence(`${what}, and has not in ${patienceMs} ms`)), patienceMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
