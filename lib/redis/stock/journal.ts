import { performance } from 'node:perf_hooks';
import { text } from '../client/index.js';
import type { Answer, Operation, Sending, Value } from './operations.js';
import { isFinal } from './order.js';

/** How long this process can tell a server, which has lost them, what it has settled, in milliseconds. */
export const journalMs = 10_000;
const journalMax = 100_000;

interface Entry {
  readonly number: number;
  readonly operations: readonly Operation[];
  readonly at: number;
}

/** What this process has settled in the last seconds, by the number of its batch. */
export class Journal {
  #entries: Entry[] = [];
  #size = 0;

  add(number: number, operations: readonly Operation[]): void {
    const now = performance.now();
    if (operations.length > 0) this.#entries.push({ number, operations, at: now });
    this.#size += operations.length;
    while (this.#size > journalMax || (this.#entries[0]?.at ?? now) < now - journalMs) {
      this.#size -= this.#entries.shift()?.operations.length ?? 0;
    }
  }

  /** Removes the operations of all batches after this one, and returns them. */
  takeAfter(last: number): Operation[] {
    const taken = this.#entries.filter(({ number }) => number > last).flatMap(({ operations }) => operations);
    this.#entries = this.#entries.filter(({ number }) => number <= last);
    this.#size -= taken.length;
    return taken;
  }
}

/** An operation that a server has lost, sent once more. */
export class Repetition implements Operation {
  readonly #operation: Operation;
  readonly #again: () => boolean;

  /** `again` sends it once more, unless it is too late: then it returns false. */
  constructor(operation: Operation, again: () => boolean) {
    this.#operation = operation;
    this.#again = again;
  }

  prepare(): void {
    this.#operation.prepare?.();
  }

  values(sending: Sending): readonly Value[] {
    return this.#operation.values(sending);
  }

  isAnswer(answer: Answer): boolean {
    return this.#operation.isAnswer(answer);
  }

  settled(answer: Answer): boolean {
    const did = text(answer[0]);
    const isEarly = did === 'unknown' || (did === 'sold-out' && !isFinal(answer));
    if (isEarly && this.#again()) return false;
    return this.#operation.repeated(answer);
  }

  repeated(answer: Answer): boolean {
    return this.#operation.repeated(answer);
  }

  late(): void {}
  failed(): void {}
}
