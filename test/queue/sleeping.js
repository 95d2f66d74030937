// The shared memory of the consumer and its producers in tests of waking up: for each producer the next sequence number
// that it may push, then one word that is 1 when there were enough sleeps.

/** A consumer that is not found asleep often enough gives up after this many records for each of the `sleeps`. */
const recordsPerSleepMax = 50;

/** @param {number} producers */
export function sleepWords(producers) {
  return new SharedArrayBuffer(4 * (producers + 1));
}

/**
 * @param {Int32Array} words
 * @param {number} producer
 */
export function acknowledged(words, producer) {
  return Atomics.load(words, producer);
}

/** @param {Int32Array} words */
export function enough(words) {
  return Atomics.load(words, words.length - 1) === 1;
}

/**
 * Consumes `queue` until it is closed, and acknowledges each record to its producer. When the consumer has been woken
 * `sleeps` times, or gives up, it sets the last word.
 * @param {import('sluice').Queue<{ producer: number, sequence: number, checksum: number }>} queue
 * @param {Int32Array} words
 * @param {number} sleeps
 * @returns {Promise<number>} how many records came
 */
export async function acknowledge(queue, words, sleeps) {
  let records = 0;
  await queue.consume((batch) => {
    records += batch.length;
    if (queue.stats().wakeups >= sleeps || records >= sleeps * recordsPerSleepMax) {
      Atomics.store(words, words.length - 1, 1);
    }
    for (const { producer, sequence } of batch) {
      const expected = acknowledged(words, producer);
      if (sequence !== expected)
        throw new Error(`producer ${producer}: expected ${expected}, got ${sequence}`);
      Atomics.store(words, producer, sequence + 1);
      Atomics.notify(words, producer);
    }
  });
  return records;
}
