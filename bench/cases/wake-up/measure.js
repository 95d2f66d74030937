/**
 * Measures how long it takes to wake an event loop and to be woken by it: round trips between two idle
 * threads.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { load } from '../../harness/rival.js';
import { quantile } from '../latency/measure.js';

const GRACE_MS = 20_000;
/** Processors may sleep after this much idleness. */
export const IDLE_MS = 2;

/**
 * @param {object} run
 * @param {string} run.rival its URL
 * @param {number} run.pauseMs between the end of one trip and the start of the next
 * @param {number} run.warmUpMs
 * @param {number} run.measuredMs
 * @returns {Promise<{ p50: number, p99: number }>} nanoseconds
 */
export async function measureWakeUp({ rival, pauseMs, warmUpMs, measuredMs }) {
  const { connect } = await load(rival);
  const there = connect(1);
  const back = connect(1);
  const deadline = AbortSignal.timeout(warmUpMs + measuredMs + GRACE_MS);
  const data = { rival, pauseMs, warmUpMs, measuredMs };
  const [toEcho] = there.producers;
  const [toDriver] = back.producers;
  if (toEcho === undefined || toDriver === undefined) throw new Error('no producer end');

  const echo = new Worker(new URL('./echo.js', import.meta.url), {
    workerData: { ...data, there: there.consumer.data, back: toDriver.data },
    transferList: [...there.consumer.transfer, ...toDriver.transfer],
  });
  /** @type {Worker | undefined} */
  let driver;
  try {
    await once(echo, 'message', { signal: deadline });
    driver = new Worker(new URL('./driver.js', import.meta.url), {
      workerData: { ...data, there: toEcho.data, back: back.consumer.data },
      transferList: [...toEcho.transfer, ...back.consumer.transfer],
    });
    const [{ tripsMs }] = await once(driver, 'message', { signal: deadline });
    tripsMs.sort();
    return { p50: quantile(tripsMs, 0.5), p99: quantile(tripsMs, 0.99) };
  } finally {
    await Promise.all([echo.terminate(), driver?.terminate()]);
    there.dispose();
    back.dispose();
  }
}
