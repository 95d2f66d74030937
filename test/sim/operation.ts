/**
 * One step of a run. It contains everything that it needs, so that it can be run again whatever other steps are left
 * out. It refers to what another step has made, such as a reservation, by the `name` of that step. If that does not
 * exist, the step does nothing.
 */
export interface Operation {
  readonly driver: string;
  readonly name: number;
  readonly do: string;
}

/** A part of the simulated world with its auditor. */
export interface Driver {
  /** Draws an operation for the driver's state; undefined if none fits. */
  draw(random: Random, name: number): Operation | undefined;
  /** Runs the operation, here and in the auditor, and compares the answers. */
  run(operation: Operation): void | Promise<void>;
  /** Waits for what must happen after a step if the auditor is right, such as the end of a wait. */
  settle(): Promise<void>;
  /** Compares, after every step, what both sides can report. */
  check(): void;
  /** Returns the times at which something becomes due, in nanoseconds of the clock. */
  dueTimes(): number[];
  dispose(): void;
}

export interface Random {
  next(): number;
  below(limit: number): number;
  between(first: number, last: number): number;
  chance(share: number): boolean;
  pick<T>(list: readonly T[]): T;
}

/** Which operations a seed uses, and how often. A seed that leaves some out runs more of the others. */
export type Weights = Readonly<Record<string, number>>;

/**
 * Draws a weight for each of `names`. `always` has those that the other operations need, so they are never left out.
 */
export function drawWeights(random: Random, names: readonly string[], always: readonly string[]): Weights {
  const weights = names.map((name) => {
    if (always.includes(name)) return [name, random.between(8, 20)] as const;
    return [name, random.chance(0.3) ? 0 : random.between(1, 10)] as const;
  });
  return Object.fromEntries(weights);
}

/** Draws one of the names by its weight; undefined if all weights are 0. */
export function drawByWeight(random: Random, weights: Weights): string | undefined {
  const names = Object.keys(weights);
  const sum = names.reduce((total, name) => total + (weights[name] as number), 0);
  let left = sum === 0 ? 0 : random.below(sum);
  return names.find((name) => {
    left -= weights[name] as number;
    return left < 0;
  });
}

/** Returns `value()` with the chance `share`, otherwise undefined. `value` is called only in the first case. */
export function sometimes<T>(random: Random, share: number, value: () => T): T | undefined {
  const drawn = random.chance(share);
  return drawn ? value() : undefined;
}
