import type { RedisDecision } from './decision.js';
import type { KeyState } from './key-state.js';
import type { Return, Run } from './limit-script.js';

/** A request that waits for the server. */
export interface Waiting {
  readonly cost: number;
  readonly resolve: (decision: RedisDecision) => void;
  readonly reject: (error: unknown) => void;
}

/** The most runs, and the most returns, of one call: some tens of microseconds of the server. */
const partsMax = 128;

/** What one call says about one key: requests, in their order, and tokens that are given back. */
export class Batch {
  readonly state: KeyState;
  readonly requests: Waiting[] = [];
  readonly runs: Run[] = [];
  readonly returns: Return[] = [];

  constructor(state: KeyState) {
    this.state = state;
  }

  get isFull(): boolean {
    return this.runs.length >= partsMax || this.returns.length >= partsMax;
  }

  add(request: Waiting): void {
    this.requests.push(request);
    const last = this.runs.at(-1);
    if (last?.cost === request.cost) last.count++;
    else this.runs.push({ count: 1, cost: request.cost });
  }
}
