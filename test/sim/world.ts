import { GateRoom } from './drivers/gate.js';
import { LimiterRoom } from './drivers/limiter.js';
import { QueueRoom } from './drivers/queue.js';
import { StockRoom } from './drivers/stock.js';
import { Time, TimeRoom } from './drivers/time.js';
import type { Operation, Random, Room } from './operation.js';
import { drawByWeight } from './operation.js';
import type { Scenario } from './scenario.js';

/** Everything that is simulated, on one clock that moves only by operations. */
export class World {
  readonly #scenario: Scenario;
  readonly #rooms: Map<string, Room> = new Map();
  readonly #time: Time;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#time = new Time(scenario.beganMs ?? 0);
    const { queue, limiter, stock, gate } = scenario;
    const queueRoom = queue && new QueueRoom(queue, this.#time);
    const limiterRoom = limiter && new LimiterRoom(limiter, this.#time, queueRoom);
    const stockRoom = stock && new StockRoom(stock, this.#time);
    if (queueRoom !== undefined) this.#rooms.set('queue', queueRoom);
    if (limiterRoom !== undefined) this.#rooms.set('limiter', limiterRoom);
    if (stockRoom !== undefined) this.#rooms.set('stock', stockRoom);
    if (gate !== undefined) this.#rooms.set('gate', new GateRoom(gate, this.#time, stockRoom, limiterRoom));
    this.#rooms.set('time', new TimeRoom(this.#time, () => this.#dueTimes(), scenario.beganMs !== undefined));
  }

  draw(random: Random, name: number): Operation | undefined {
    const room = drawByWeight(random, this.#scenario.rooms);
    return room === undefined ? undefined : this.#rooms.get(room)?.draw(random, name);
  }

  /** Before the first step. */
  async begin(): Promise<void> {
    await this.#checkAll();
  }

  async step(operation: Operation): Promise<void> {
    try {
      await this.#rooms.get(operation.room)?.run(operation);
      await this.#checkAll();
    } catch (error) {
      if (error instanceof Error) error.message = `${JSON.stringify(operation)}\n${error.message}`;
      throw error;
    }
  }

  /** After the last step. */
  async end(): Promise<void> {
    await this.#checkAll();
  }

  dispose(): void {
    for (const room of [...this.#rooms.values()].reverse()) room.dispose();
  }

  async #checkAll(): Promise<void> {
    for (const room of this.#rooms.values()) await room.settle();
    for (const room of this.#rooms.values()) room.check();
  }

  #dueTimes(): number[] {
    return [...this.#rooms.values()].flatMap((room) => room.dueTimes());
  }
}
