import { checksum } from './record.js';

interface Numbered {
  readonly producer: number;
  readonly sequence: number;
  readonly checksum: number;
}

/** Checks the records that arrive: each intact, none twice, none left out, in order for each producer. */
export class Arrivals {
  total = 0;
  readonly #next: number[];

  /** @param first the sequence number of each producer's first record */
  constructor(producers: number, first: number) {
    this.#next = new Array<number>(producers).fill(first);
  }

  see({ producer, sequence, checksum: sum }: Numbered): void {
    // The values are compared first, and reported only if they differ: an expectation for each of millions of records
    // would take minutes.
    if (sum !== checksum(producer, sequence)) {
      throw new Error(
        `record ${this.total} is torn: producer ${producer}, sequence ${sequence}, checksum ${sum}`,
      );
    }
    const expected = this.#next[producer];
    if (sequence !== expected) {
      throw new Error(
        `record ${this.total}, of producer ${producer}: expected sequence ${expected}, got ${sequence}`,
      );
    }
    this.#next[producer] = sequence + 1;
    this.total++;
  }

  /** The next sequence number expected from each producer. */
  get next(): readonly number[] {
    return this.#next;
  }
}
