import {
  admitted,
  arrays,
  checkedAnswer,
  copied,
  gateStaging,
  type NativeGate,
  type NativeKey,
  outcomes,
} from '../binding/index.js';
import { SluiceError } from '../input/index.js';
import type { LayeredGate, OverflowLayer, Readmission } from '../queue/index.js';
import type { Stock } from '../stock/index.js';
import { type Admission, storedAs } from './admission.js';
import { whatOrPart, words } from './staging.js';

/** What a gate lets its durable half use. */
export interface DurableGate<T> {
  readonly native: NativeGate;
  readonly staging: ArrayBuffer;
  readonly stock: Stock | undefined;
  readonly keyed: boolean;
  /** Whether the ledger has a reservation with the order's id: then the gate answers as before. */
  knows(order: T): boolean;
  /** Writes an order's record where native code reads it. */
  stage(order: T): void;
  /** Admits an order to the ring, as `Gate.admit`. */
  admit(order: T, key: NativeKey | undefined, holdNs: number): Admission;
  /** Admits an order as `admit`, but pushes it nowhere: returns the answer of native `admitAside`. */
  admitAside(order: T, key: NativeKey | undefined, holdNs: number): number;
  /** The admission for an answer other than `admitted`. */
  otherwise(answer: number): Admission;
}

/** Refusals that may be over a moment later. */
const passing: ReadonlySet<string> = new Set(['queue-full', 'ledger-full', 'in-progress']);
const retryMs = 20;

/**
 * The half of a gate that works with the layer behind its queue's ring. It admits orders aside, that is, it charges the
 * limiter and reserves units, and does not push; has the layer keep them; and gives everything back if it cannot.
 */
export class DurableAdmission<T> implements LayeredGate<T> {
  readonly keyed: boolean;
  readonly #gate: DurableGate<T>;
  readonly #layer: OverflowLayer<T>;
  /** The bytes of the staging buffer that describe the order that was admitted aside last. */
  readonly #aside: Uint8Array;
  readonly #reservations: BigUint64Array;
  /** The orders on their way to the store, by their reservations: a repeated order waits for the first one's answer. */
  readonly #storing = new Map<bigint, Promise<void>>();

  constructor(gate: DurableGate<T>, layer: OverflowLayer<T>) {
    this.keyed = gate.keyed;
    this.#gate = gate;
    this.#layer = layer;
    this.#aside = new arrays.Uint8Array(gate.staging, gateStaging.aside, gateStaging.asideBytes);
    this.#reservations = new arrays.BigUint64Array(gate.staging);
    layer.join(this);
  }

  /** See `Gate.admitDurably`. */
  async admit(order: T, key: NativeKey | undefined, holdNs: number): Promise<Admission> {
    if (!this.#layer.wants(0)) {
      const admission = this.#gate.admit(order, key, holdNs);
      if (admission.outcome !== 'queue-full') return admission;
    }
    await this.#layer.opened;
    if (this.#layer.isFull && !this.#gate.knows(order)) return { outcome: 'queue-full' };
    const answer = this.#gate.admitAside(order, key, holdNs);
    const reservation = this.#reservations[words.reservation] as bigint;
    if (answer !== admitted && answer !== outcomes.requeued) {
      const admission = this.#gate.otherwise(answer);
      if (admission.outcome === 'admitted') await this.#storing.get(reservation);
      return admission;
    }
    await this.#store(order, reservation);
    return storedAs(reservation);
  }

  push(order: T, aside: Uint8Array): boolean {
    this.#gate.stage(order);
    this.#stageAside(aside);
    const answer = checkedAnswer(whatOrPart, this.#gate.native.pushAside());
    return answer === 1;
  }

  isDecided(reservation: bigint): boolean {
    return this.#gate.stock?.find({ reservation })?.state !== 'held';
  }

  readmit(order: T, key: unknown): Readmission {
    const admission = this.#gate.admit(order, key as NativeKey | undefined, 0);
    switch (admission.outcome) {
      case 'admitted':
        if (admission.state === 'confirmed') return { is: 'decided' };
        return { is: 'queued', reservation: admission.reservation };
      case 'already-ended':
        return { is: 'decided' };
      case 'rate-limited':
        return { is: 'postponed', retryAfterMs: admission.retryAfterMs };
      case 'closed':
        throw new SluiceError('ERR_SLUICE_CLOSED', 'Gate: its queue is closed');
      default:
        if (passing.has(admission.outcome)) return { is: 'postponed', retryAfterMs: retryMs };
        return { is: 'refused', outcome: admission.outcome };
    }
  }

  /** Has the layer keep the order that is aside. If it cannot, the order gives back what it holds. */
  async #store(order: T, reservation: bigint): Promise<void> {
    const aside = copied(this.#gate.staging, gateStaging.aside, gateStaging.asideBytes);
    let storing: Promise<void>;
    try {
      storing = this.#layer.store(order, 0, aside);
    } catch (error) {
      this.#drop(aside);
      throw error;
    }
    if (reservation !== 0n) this.#storing.set(reservation, storing);
    try {
      await storing;
    } catch (error) {
      this.#drop(aside);
      throw error;
    } finally {
      this.#storing.delete(reservation);
    }
  }

  #drop(aside: Uint8Array): void {
    this.#stageAside(aside);
    this.#gate.native.dropAside();
  }

  #stageAside(aside: Uint8Array): void {
    for (let i = 0; i < gateStaging.asideBytes; i++) this.#aside[i] = aside[i] as number;
  }
}
