import type { Line } from '../auditor/cart.js';
import { drawByWeight, type Operation, type Random, sometimes } from '../operation.js';
import type { GateScenario, Order } from './gate.js';

/** What a handler does with an order, after so much time. 'die': its thread ends with the order in hand. */
export interface Decision {
  readonly how: 'return' | 'throw' | 'confirm' | 'cancel' | 'die';
  readonly jumpNs: number;
  /** Whether it has its holds renewed then. */
  readonly renews: boolean;
}

type By = Operation & { readonly by: number };
export type GateOperation =
  | (By & {
      readonly do: 'admit';
      readonly order: Order;
      readonly holdMs?: number;
      readonly lines?: readonly Line[];
      readonly key?: number;
    })
  | (By & { readonly do: 'pushPast'; readonly order: Order })
  | (By & { readonly do: 'consume'; readonly batchSize: number; readonly decisions: readonly Decision[] })
  | (By & { readonly do: 'close' | 'die' });

export const gateOperations = ['admit', 'pushPast', 'consume', 'close', 'die'];

export function drawGate(
  random: Random,
  name: number,
  scenario: GateScenario,
  depth: number,
): GateOperation | undefined {
  const base = { room: 'gate', name, by: random.below(scenario.objects) };
  const kind = drawByWeight(random, scenario.weights);
  const order: Order = {
    id: random.below(20),
    user: random.pick([1, 2, 7]),
    sku: random.pick([1, 1, 2, 3, 99]),
    quantity: random.chance(0.03) ? 0 : random.between(1, random.chance(0.1) ? 20 : 2),
    mark: name,
  };
  switch (kind) {
    case 'admit': {
      const holdMs = sometimes(random, 0.3, () => random.pick([1, 20, 1_000]));
      const cart = scenario.stocked && (!scenario.ofOneItem || random.chance(0.3));
      const lines = Array.from({ length: random.between(1, 3) }, () => ({
        sku: random.pick([1, 1, 2, 3, 'one', 99]),
        quantity: random.between(1, 2),
      }));
      const key = random.below(6);
      const options = { ...(holdMs && { holdMs }), ...(cart && { lines }), ...(key > 0 && { key }) };
      return { ...base, do: kind, order, ...options };
    }
    case 'pushPast':
      return { ...base, do: kind, order };
    case 'consume': {
      if (depth === 0 && random.chance(0.9)) return undefined;
      const decisions = Array.from({ length: random.between(1, 4) }, () => ({
        how: random.pick<Decision['how']>(['return', 'return', 'throw', 'confirm', 'cancel', 'die']),
        jumpNs: random.chance(0.7) ? 0 : random.pick([1, 400_000, 6e6, 200e6, 1e9]),
        renews: random.chance(0.3),
      }));
      return { ...base, do: kind, batchSize: random.between(1, 4), decisions };
    }
    case 'close':
      return random.chance(0.03) ? { ...base, do: kind } : undefined;
    case 'die':
      return { ...base, do: kind };
    default:
      return undefined;
  }
}
