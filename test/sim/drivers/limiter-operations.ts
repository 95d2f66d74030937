import { type Changes, listed, type WindowChanges, type WindowOption } from '../auditor/limiter.js';
import { drawByWeight, type Operation, type Random, sometimes } from '../operation.js';
import type { LimiterScenario } from './limiter.js';

/** `key`: the number of a key of the scenario. */
type By = Operation & { readonly by: number; readonly key?: number };
export type Acquire = By & { readonly do: 'acquire'; readonly cost: number; readonly timeoutMs?: number };
export type LimiterOperation =
  | Acquire
  | (By & {
      readonly do: 'allow' | 'tryAcquire' | 'peek' | 'giveBack' | 'penalty' | 'reward';
      readonly cost: number;
    })
  | (By & { readonly do: 'abort' | 'release' | 'refund'; readonly of: number })
  | (By & { readonly do: 'reset' | 'die' })
  | (By & { readonly do: 'block'; readonly ms: number })
  | (By & { readonly do: 'configure'; readonly changes: Changes; readonly enforce?: boolean });

export const limiterOperations = [
  'allow',
  'tryAcquire',
  'acquire',
  'abort',
  'peek',
  'release',
  'giveBack',
  'penalty',
  'reward',
  'reset',
  'block',
  'configure',
  'die',
];

export const rates = [1, 3, 10, 100, 999, 8_000];
const lengthsMs = [1, 9.5, 100, 1_000];

/** Draws one window, or a list of windows. */
export function drawWindows(random: Random): WindowOption | readonly WindowOption[] {
  if (random.chance(0.5)) return drawWindow(random, lengthsMs);
  const lengths = [...lengthsMs, 30_000, 40 * 86_400_000];
  return Array.from({ length: random.pick([1, 2, 2, 3, 4]) }, () => drawWindow(random, lengths));
}
function drawWindow(random: Random, lengths: readonly number[]): WindowOption {
  const limit = random.between(1, 12);
  if (random.chance(0.25)) {
    const every = random.pick(['day', 'day', 'day', 'week', 'month', 'year'] as const);
    return { limit, every, ...(random.chance(0.6) && { timeZone: 'America/New_York' }) };
  }
  const windowMs = random.pick(lengths);
  return random.chance(0.4)
    ? { limit, windowMs, exact: true }
    : { limit, windowMs, buckets: random.pick([1, 2, 3, 10, 20]) };
}

export function drawLimiter(
  random: Random,
  name: number,
  scenario: LimiterScenario,
  known: { held: readonly number[]; waiting: readonly number[] },
): LimiterOperation | undefined {
  const by = random.below(scenario.objects);
  const key = random.below(scenario.keys?.length ?? 1);
  const base = { driver: 'limiter', name, by, ...(key === 0 ? {} : { key }) };
  const kind = drawByWeight(random, scenario.weights);
  const cost = random.chance(0.7) ? 1 : random.between(0, 12);
  switch (kind) {
    case 'allow':
    case 'tryAcquire':
    case 'peek':
    case 'giveBack':
    case 'penalty':
    case 'reward':
      return { ...base, do: kind, cost };
    case 'acquire': {
      const impatient = scenario.maxWaiting <= 1 && random.chance(0.7);
      const timeoutMs = impatient ? random.pick([0, 0.5, 12, 150, 3_000]) : undefined;
      return { ...base, do: kind, cost, ...(timeoutMs !== undefined && { timeoutMs }) };
    }
    case 'abort':
      return known.waiting.length === 0 ? undefined : { ...base, do: kind, of: random.pick(known.waiting) };
    case 'release': {
      if (known.held.length === 0) return undefined;
      const of = random.pick(known.held.slice(-20));
      return { ...base, do: of % 3 === 0 ? 'refund' : kind, of };
    }
    case 'reset':
    case 'die':
      return { ...base, do: kind };
    case 'block':
      return { ...base, do: kind, ms: random.pick([0, 0.001, 5, 70.5, 1_000]) };
    case 'configure':
      return { ...base, do: kind, ...drawChanges(random, scenario) };
    default:
      return undefined;
  }
}

function drawChanges(random: Random, scenario: LimiterScenario): { changes: Changes; enforce?: boolean } {
  const { tokenBucket, slidingWindow, queueDepth, maxKeys } = scenario;
  const rate = sometimes(random, 0.5, () => random.pick(rates));
  const burst = sometimes(random, 0.5, () => random.between(1, 12));
  const windows = listed(slidingWindow);
  const forgetsTimes = windows.length > 1 || queueDepth !== undefined || maxKeys === 1;
  const changed = windows.map((window) => drawWindowChanges(random, window, forgetsTimes));
  const max = sometimes(random, 0.5, () => random.between(1, 8));
  const enforce = sometimes(random, 0.1, () => random.chance(0.5));
  const bucket = { ...(rate && { ratePerSecond: rate }), ...(burst && { burst }) };
  return {
    changes: {
      ...(tokenBucket && { tokenBucket: bucket }),
      ...(slidingWindow && {
        slidingWindow: changed.length === 1 && random.chance(0.7) ? (changed[0] ?? {}) : changed,
      }),
      ...(queueDepth && max && { queueDepth: { max } }),
    },
    ...(enforce === undefined ? {} : { enforce }),
  };
}

/** `forgetsTimes`: the limiter may forget times that have left an exact window. */
function drawWindowChanges(random: Random, window: WindowOption, forgetsTimes: boolean): WindowChanges {
  const exact = 'exact' in window;
  const limit = sometimes(random, 0.5, () => random.between(1, exact ? window.limit : 12));
  const windowMs = sometimes(random, 0.5, () => random.pick(lengthsMs));
  // An exact window that is made longer needs times that had already left it. The auditor remembers all of them, but
  // the limiter does not: it keeps as many times as the limit, so that a request which a later tier refuses may push
  // one out; and a key with an empty window gives its place to another key. So such windows keep their length.
  const keepsLength = 'every' in window || (exact && forgetsTimes);
  return { ...(limit && { limit }), ...(windowMs && !keepsLength && { windowMs }) };
}
