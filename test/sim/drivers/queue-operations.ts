import { drawByWeight, type Operation, type Random, sometimes } from '../operation.js';
import type { QueueScenario } from './queue.js';

type By = Operation & { readonly by: number };
type To = By & { readonly lane: number; readonly ttlMs?: number };
export type QueueOperation =
  | (To & { readonly do: 'push' | 'pushWaiting' })
  | (To & { readonly do: 'pushMany' | 'reserve' | 'reserveWaiting'; readonly count: number })
  | (By & { readonly do: 'send' | 'giveBack' | 'abort'; readonly of: number })
  | (By & { readonly do: 'pop' | 'drain'; readonly max: number })
  | (By & { readonly do: 'popOne' | 'empty' | 'releaseLease' | 'close' | 'die' });

export const queueOperations = [
  'push',
  'pushMany',
  'pushWaiting',
  'reserve',
  'reserveWaiting',
  'send',
  'giveBack',
  'abort',
  'pop',
  'popOne',
  'drain',
  'empty',
  'releaseLease',
  'close',
  'die',
];

export function drawQueue(
  random: Random,
  name: number,
  scenario: QueueScenario,
  known: { permits: readonly number[]; waiting: readonly number[]; lease: number | undefined },
): QueueOperation | undefined {
  const by = random.below(scenario.objects);
  const consumer = random.chance(0.9) ? (known.lease ?? by) : by;
  const base = { driver: 'queue', name, by };
  const kind = drawByWeight(random, scenario.weights);
  const lane = random.below(scenario.lanes);
  const ttlMs =
    scenario.ttlMs === 0 ? undefined : sometimes(random, 0.4, () => random.pick([0.001, 1, 5.5, 300]));
  const to = { ...base, lane, ...(ttlMs === undefined ? {} : { ttlMs }) };
  const permit = random.pick(known.permits.length === 0 ? [0] : known.permits.slice(-6));
  switch (kind) {
    case 'push':
    case 'pushWaiting':
      return { ...to, do: kind };
    case 'pushMany':
      return { ...to, do: kind, count: random.between(0, 2 * Math.min(scenario.capacity, 40)) };
    case 'reserve':
    case 'reserveWaiting':
      return { ...base, lane, do: kind, count: random.between(1, Math.min(4, scenario.capacity)) };
    case 'send':
    case 'giveBack':
      return known.permits.length === 0 ? undefined : { ...base, do: kind, of: permit };
    case 'abort':
      return known.waiting.length === 0 ? undefined : { ...base, do: kind, of: random.pick(known.waiting) };
    case 'pop':
    case 'drain':
      return { ...base, by: consumer, do: kind, max: random.between(1, random.chance(0.5) ? 3 : 100) };
    case 'popOne':
      return { ...base, by: consumer, do: kind };
    case 'releaseLease':
      return { ...base, by: consumer, do: kind };
    case 'close':
      return random.chance(0.03) ? { ...base, do: kind } : undefined;
    case 'empty':
    case 'die':
      return { ...base, do: kind };
    default:
      return undefined;
  }
}
