/** Orders that a consumer has taken and not decided. The next consumer first gets the orders that this one leaves. */
export class InHand<T> {
  /** In the order in which they were taken from the queue. */
  #orders: T[] = [];
  readonly #deliveries = new Map<T, number>();
  readonly #renewals = new Map<T, number | undefined>();
  /** The orders handed out since the present consumer began. */
  #out = new Set<T>();
  redelivered = 0;

  constructor(readonly capacity: number) {}

  /** A consumer begins. */
  begin(): void {
    this.#out = new Set();
  }
  get orders(): readonly T[] {
    return this.#orders;
  }
  get handedOut(): T[] {
    return this.#orders.filter((order) => this.#out.has(order));
  }
  get room(): number {
    return this.capacity - this.#orders.length;
  }
  /** Whether an order is to be handed out again. */
  get waits(): boolean {
    return this.#orders.some((order) => !this.#out.has(order));
  }

  again(max: number): T[] {
    const waiting = this.#orders.filter((order) => !this.#out.has(order)).slice(0, max);
    this.redelivered += waiting.filter((order) => this.deliveries(order) > 0).length;
    for (const order of waiting) this.#handOut(order);
    return waiting;
  }
  /** Puts orders back that no handler was given: the next consumer gets them as if they had not been handed out. */
  putBack(orders: readonly T[]): void {
    for (const order of orders) {
      this.#out.delete(order);
      this.#deliveries.set(order, this.deliveries(order) - 1);
    }
  }
  add(orders: readonly T[]): void {
    for (const order of orders) {
      this.#orders.push(order);
      this.#handOut(order);
    }
  }
  remove(order: T): void {
    this.#orders = this.#orders.filter((one) => one !== order);
  }
  clear(): void {
    this.#orders = [];
    this.redelivered = 0;
  }

  deliveries(order: T): number {
    return this.#deliveries.get(order) ?? 0;
  }
  renewAt(order: T, at: number | undefined): void {
    this.#renewals.set(order, at);
  }
  renewalOf(order: T): number | undefined {
    return this.#renewals.get(order);
  }

  #handOut(order: T): void {
    this.#out.add(order);
    this.#deliveries.set(order, this.deliveries(order) + 1);
  }
}
