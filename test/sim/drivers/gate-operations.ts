import type { Line } from '../auditor/cart.js';
import { drawByWeight, type Operation, type Random, sometimes } from '../operation.js';
import type { GateScenario, Order } from './gate.js';

/**
 * What a handler does with an order, after it has advanced the clock by `jumpNs`. 'return', 'throw': it does only that.
 * 'confirm', 'confirmPart', 'cancel': it decides by its hold, then returns. 'hang': its promise never settles; see
 * `Consume.givesUp`. 'die': it disposes of the gate object while the order is in hand, as the end of its thread would.
 */
export interface Decision {
  readonly how: 'return' | 'throw' | 'confirm' | 'confirmPart' | 'cancel' | 'hang' | 'die';
  /** The units to confirm, for 'confirmPart'. */
  readonly quantity: number;
  readonly jumpNs: number;
  /** Whether the handler renews the gate's holds after `jumpNs`, before it decides. */
  readonly renews: boolean;
}

/** An order that `admit` was called for. */
export interface Asked {
  readonly order: Order;
  readonly lines?: readonly Line[];
}

type By = Operation & { readonly by: number };
export type Consume = By & {
  readonly do: 'consume';
  readonly batchSize: number;
  readonly decisions: readonly Decision[];
  /** Whether the consumption is aborted while a handler hangs; if not, the handler's time runs out. */
  readonly givesUp?: boolean;
};
export type GateOperation =
  | (By & {
      readonly do: 'admit';
      readonly order: Order;
      readonly holdMs?: number;
      readonly lines?: readonly Line[];
      readonly key?: number;
    })
  | (By & { readonly do: 'pushPast'; readonly order: Order })
  | Consume
  | (By & { readonly do: 'close' | 'die' | 'restart' });

const ways: ReadonlyArray<Decision['how']> = [
  'return',
  'return',
  'throw',
  'confirm',
  'confirmPart',
  'cancel',
  'hang',
  'die',
];

export const gateOperations = ['admit', 'pushPast', 'consume', 'close', 'die', 'restart'];

/** Returns the order that usually goes with an id: in 3 of 10 cases drawGate() draws any order. */
export function orderOf(id: number): Pick<Order, 'user' | 'sku' | 'quantity'> {
  return {
    user: [1, 2, 7][id % 3] as number,
    sku: [1, 1, 2, 3][id % 4] as number,
    quantity: 1 + (id % 2),
  };
}

export function drawGate(
  random: Random,
  name: number,
  scenario: GateScenario,
  waiting: { readonly depth: number; readonly admitted: boolean },
  asked: readonly Asked[],
  stranded: readonly Asked[],
): GateOperation | undefined {
  const base = { driver: 'gate', name, by: random.below(scenario.objects) };
  // Few orders are ever stranded, and they soon expire.
  const asksAgain = stranded.length > 0 && random.chance(0.7);
  const restarts = scenario.restarts && waiting.admitted && random.chance(0.2);
  const kind = restarts ? 'restart' : asksAgain ? 'admit' : drawByWeight(random, scenario.weights);
  const id = random.below(20);
  const order: Order = {
    id,
    // Mostly the order that belongs to the id: a repetition, if the id was used before.
    ...(random.chance(0.7)
      ? orderOf(id)
      : {
          user: random.pick([1, 2, 7]),
          sku: random.pick([1, 1, 2, 3, 99]),
          quantity: random.chance(0.03) ? 0 : random.between(1, random.chance(0.1) ? 20 : 2),
        }),
    mark: name,
  };
  switch (kind) {
    case 'admit': {
      const key = random.below(6);
      const holdMs = sometimes(random, 0.3, () => random.pick([1, 20, 1_000]));
      if (asksAgain || (scenario.id && asked.length > 0 && random.chance(0.5))) {
        // Half the time one of the last four, so that some orders are asked for more than once.
        const again = random.pick(random.chance(0.5) ? asked.slice(-4) : asksAgain ? stranded : asked);
        return { ...base, do: kind, ...again, ...(holdMs && { holdMs }), ...(key > 0 && { key }) };
      }
      const cart = scenario.stocked && (!scenario.ofOneItem || random.chance(0.3));
      const lines = Array.from({ length: random.between(1, 3) }, () => ({
        sku: random.pick([1, 1, 2, 3, 'one', 99]),
        quantity: random.between(1, 2),
      }));
      const options = { ...(holdMs && { holdMs }), ...(cart && { lines }), ...(key > 0 && { key }) };
      return { ...base, do: kind, order, ...options };
    }
    case 'pushPast':
      return { ...base, do: kind, order };
    case 'consume': {
      if (waiting.depth === 0 && random.chance(0.9)) return undefined;
      const decisions = Array.from({ length: random.between(1, 4) }, () => ({
        how: random.pick(ways),
        quantity: random.between(1, 2),
        jumpNs: random.chance(0.7) ? 0 : random.pick([1, 400_000, 6e6, 200e6, 1e9]),
        renews: random.chance(0.3),
      }));
      const givesUp = random.chance(0.5);
      return { ...base, do: kind, batchSize: random.between(1, 4), decisions, givesUp };
    }
    case 'close':
      return random.chance(0.01) ? { ...base, do: kind } : undefined;
    case 'die':
      return { ...base, do: kind };
    case 'restart':
      return scenario.stocked && (restarts || random.chance(0.6)) ? { ...base, do: kind } : undefined;
    default:
      return undefined;
  }
}
