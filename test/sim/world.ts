import { GateDriver } from './drivers/gate.js';
import { LimiterDriver } from './drivers/limiter.js';
import { QueueDriver } from './drivers/queue.js';
import { StockDriver } from './drivers/stock.js';
import { Time, TimeDriver } from './drivers/time.js';
import type { Driver, Operation, Random } from './operation.js';
import { drawByWeight } from './operation.js';
import type { Scenario } from './scenario.js';

/** All objects of a simulation, on one clock that moves only by operations. */
export class World {
  readonly #scenario: Scenario;
  readonly #drivers: Map<string, Driver> = new Map();
  readonly #time: Time;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#time = new Time(scenario.beganMs ?? 0);
    const { queue, limiter, stock, gate } = scenario;
    const queueDriver = queue && new QueueDriver(queue, this.#time);
    const limiterDriver = limiter && new LimiterDriver(limiter, this.#time, queueDriver);
    const stockDriver = stock && new StockDriver(stock, this.#time);
    if (queueDriver !== undefined) this.#drivers.set('queue', queueDriver);
    if (limiterDriver !== undefined) this.#drivers.set('limiter', limiterDriver);
    if (stockDriver !== undefined) this.#drivers.set('stock', stockDriver);
    if (gate !== undefined)
      this.#drivers.set('gate', new GateDriver(gate, this.#time, stockDriver, limiterDriver));
    this.#drivers.set(
      'time',
      new TimeDriver(this.#time, () => this.#dueTimes(), scenario.beganMs !== undefined),
    );
  }

  draw(random: Random, name: number): Operation | undefined {
    const driver = drawByWeight(random, this.#scenario.drivers);
    return driver === undefined ? undefined : this.#drivers.get(driver)?.draw(random, name);
  }

  /** Call it before the first step. */
  async begin(): Promise<void> {
    await this.#checkAll();
  }

  async step(operation: Operation): Promise<void> {
    try {
      await this.#drivers.get(operation.driver)?.run(operation);
      await this.#checkAll();
    } catch (error) {
      if (error instanceof Error) error.message = `${JSON.stringify(operation)}\n${error.message}`;
      throw error;
    }
  }

  /** Call it after the last step. */
  async end(): Promise<void> {
    await this.#checkAll();
  }

  dispose(): void {
    for (const driver of [...this.#drivers.values()].reverse()) driver.dispose();
  }

  async #checkAll(): Promise<void> {
    for (const driver of this.#drivers.values()) await driver.settle();
    for (const driver of this.#drivers.values()) driver.check();
  }

  #dueTimes(): number[] {
    return [...this.#drivers.values()].flatMap((driver) => driver.dueTimes());
  }
}
