// @ts-check

/**
 * What only a crew of cashiers has to account for.
 * @typedef {object} CrewBooks
 * @property {number} workers
 * @property {number} concurrency   orders that one worker handles at a time
 * @property {number} deaths        workers that were killed
 * @property {number} handled       orders that the crew says were handled
 * @property {number} deadLettered  orders that the crew gave to the dead letters
 * @property {number} again         how often a handler was given an order that a handler had been given before
 * @property {number} unwitnessed   orders whose cashier was killed after it had decided them, before it wrote that down
 */

/**
 * Makes the cashiers' book from the lines that the handlers wrote: one entry for each order, in the order in which they
 * were decided.
 */
export class CrewBook {
  /** @type {Map<bigint, import('./cashier.js').HandledOrder>} */
  #orders = new Map();
  again = 0;
  unwitnessed = 0;

  /** @param {import('./book-schema.js').BookLine} line */
  write({ reservation, id, user, sku, quantity, event, paid, result, admittedAt, at }) {
    const known = this.#orders.get(reservation);
    if (event === 'taken') {
      if (known !== undefined) {
        this.again += 1;
        return;
      }
      const order = {
        reservation: String(reservation),
        id,
        user,
        sku,
        quantity,
        paid: false,
        result: 'open',
      };
      this.#orders.set(reservation, { ...order, admittedAt, takenAt: at, decidedAt: 0 });
      return;
    }
    if (known === undefined)
      throw new Error(`the book has an order ${id} that was ${event}, but never taken`);
    known.paid = paid;
    if (event === 'charged') known.decidedAt = at;
    else known.result = result;
  }

  /**
   * A dead letter is the end of an order that its cashiers could not decide.
   * @param {bigint} reservation
   * @param {number} at
   */
  bury(reservation, at) {
    const known = this.#orders.get(reservation);
    if (known === undefined) throw new Error(`reservation ${reservation} is dead, but was never taken`);
    Object.assign(known, { paid: false, result: 'cancelled', decidedAt: at });
  }

  /**
   * @param {(reservation: string) => string | undefined} stateOf asks the ledger, for orders whose cashier was killed
   *   between its decision and its last line
   */
  close(stateOf) {
    const orders = [...this.#orders.values()];
    for (const order of orders) {
      if (order.result !== 'open') continue;
      this.unwitnessed += 1;
      order.result = stateOf(order.reservation) ?? 'unknown';
    }
    return orders.sort((a, b) => a.decidedAt - b.decidedAt);
  }
}
