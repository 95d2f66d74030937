/**
 * One step of a run. It says all that it does: whatever other steps are left out, it can be run again, and what it
 * refers to (by the `name` of the step that made it) is skipped if it is not there.
 */
export interface Operation {
  readonly driver: string;
  readonly name: number;
  readonly do: string;
}

/** A part of the simulated world with its auditor. */
export interface Driver {
  /** Draws an operation for the state that the driver is in; undefined: none comes to mind. */
  draw(random: Random, name: number): Operation | undefined;
  /** Runs it, here and in the auditor, and compares the answers. */
  run(operation: Operation): void | Promise<void>;
  /** Waits for what the auditor says must happen after a step, such as a wait that ends. */
  settle(): Promise<void>;
  /** Compares what both can be asked for after every step. */
  check(): void;
  /** Times at which something becomes due, in nanoseconds of the clock. */
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

/** Which operations a seed uses, and how often: a seed that leaves some out goes further with the others. */
export type Weights = Readonly<Record<string, number>>;

/** `always`: what the others need, and so is never left out. */
export function drawWeights(random: Random, names: readonly string[], always: readonly string[]): Weights {
  const weights = names.map((name) => {
    if (always.includes(name)) return [name, random.between(8, 20)] as const;
    return [name, random.chance(0.3) ? 0 : random.between(1, 10)] as const;
  });
  return Object.fromEntries(weights);
}

/** One of `names`, by its weight; undefined if all weigh nothing. */
export function drawByWeight(random: Random, weights: Weights): string | undefined {
  const names = Object.keys(weights);
  const sum = names.reduce((total, name) => total + (weights[name] as number), 0);
  let left = sum === 0 ? 0 : random.below(sum);
  return names.find((name) => {
    left -= weights[name] as number;
    return left < 0;
  });
}

/** A value with the given chance, else undefined; always draws as much. */
export function sometimes<T>(random: Random, share: number, value: () => T): T | undefined {
  const drawn = random.chance(share);
  return drawn ? value() : undefined;
}
