import type { GateStats } from '../../gate/index.js';
import type { RedisAdmission } from './admission.js';

/** What a `RedisGate` object has answered; other processes are not counted. */
export interface RedisGateStats
  extends Omit<GateStats, 'requeued' | 'inHand' | 'redelivered' | 'otherwiseRefused'> {
  /** Orders of which no answer came in time, or that waited for too many others. */
  readonly unavailable: number;
  /** Orders whose units this process had lost. */
  readonly revoked: number;
  /** Orders refused for any other reason. */
  readonly otherwiseRefused: number;
  /** Orders that wait for their answer now. */
  readonly pending: number;
}

type Counts = { -readonly [Name in Exclude<keyof RedisGateStats, 'pending'>]: number };

const counterOf: Partial<Readonly<Record<RedisAdmission['outcome'], keyof Counts>>> = {
  'rate-limited': 'rateLimited',
  'queue-full': 'queueFull',
  'sold-out': 'soldOut',
  'user-limit': 'userLimit',
  unavailable: 'unavailable',
  revoked: 'revoked',
};

/** Counts answers. */
export class Counters {
  readonly counts: Counts = {
    ...{ admitted: 0, duplicates: 0, rateLimited: 0, queueFull: 0, soldOut: 0, userLimit: 0 },
    ...{ unavailable: 0, revoked: 0, otherwiseRefused: 0 },
  };

  add(admission: RedisAdmission): void {
    if (admission.outcome === 'admitted') this.counts[admission.duplicate ? 'duplicates' : 'admitted']++;
    else this.counts[counterOf[admission.outcome] ?? 'otherwiseRefused']++;
  }
}
