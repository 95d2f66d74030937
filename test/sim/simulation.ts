import { SeededRandom } from '../seeded-random.js';
import type { Operation } from './operation.js';
import { drawScenario, type Scenario } from './scenario.js';
import { World } from './world.js';

/** A run that can be repeated without its seed. */
export interface Trace {
  readonly scenario: Scenario;
  readonly operations: readonly Operation[];
}
export interface Run {
  readonly trace: Trace;
  /** The error that ended the run, if there was one. */
  readonly error: Error | undefined;
}
export type Failure = Run & { readonly error: Error };

/** Runs `steps` operations drawn from `seed`, or as many as it takes to fail. */
export async function explore(seed: number, steps: number): Promise<Run> {
  const random = new SeededRandom(seed);
  const scenario = drawScenario(random);
  const operations: Operation[] = [];
  const world = new World(scenario);
  const error = await attempt(world, async () => {
    await world.begin();
    for (let name = 1; name <= steps; name++) {
      const operation = world.draw(random, name);
      if (operation === undefined) continue;
      operations.push(operation);
      await world.step(operation);
    }
  });
  return { trace: { scenario, operations }, error };
}

/** Runs a trace. Returns the error, if there was one. */
export async function replay({ scenario, operations }: Trace): Promise<Error | undefined> {
  const world = new World(scenario);
  return attempt(world, async () => {
    await world.begin();
    for (const operation of operations) await world.step(operation);
  });
}

async function attempt(world: World, run: () => Promise<void>): Promise<Error | undefined> {
  try {
    await run();
    await world.end();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    world.dispose();
  }
}

export function hasFailed(run: Run): run is Failure {
  return run.error !== undefined;
}
