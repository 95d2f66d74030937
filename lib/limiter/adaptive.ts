import { monitorEventLoopDelay } from 'node:perf_hooks';
import { clearInterval, setInterval } from 'node:timers';
import { type NativeLimiter, Weak } from '../binding/index.js';

/** The interval at which the delay is sampled, in milliseconds. The histogram adds this interval to each delay. */
const resolutionMs = 10;

/**
 * Reports to the limiter, interval by interval, whether this thread's event loop was late on average by more than
 * `maxEventLoopDelayMs`. Keeps neither the event loop nor `owner` alive. Returns the function that ends the reports.
 */
export function watchEventLoop(owner: object, limiter: NativeLimiter): () => void {
  const { maxEventLoopDelayMs, adaptiveIntervalMs } = limiter;
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  const watched = new Weak(owner);
  let counted = 0;
  let summed = 0;
  const end = (): void => {
    clearInterval(timer);
    histogram.disable();
  };
  const timer = setInterval(() => {
    if (watched.deref() === undefined) return end();
    // Takes differences, because the histogram would lose the first delay after a reset().
    const count = histogram.count;
    const sum = count === 0 ? 0 : count * histogram.mean;
    const delayMs = count === counted ? 0 : (sum - summed) / (count - counted) / 1e6 - resolutionMs;
    counted = count;
    summed = sum;
    // An overload lasts for twice the interval: until the next interval has been judged, even if the timer is late by
    // up to an interval.
    limiter.overload(delayMs > maxEventLoopDelayMs ? Math.round(2 * adaptiveIntervalMs * 1e6) : 0);
  }, adaptiveIntervalMs);
  timer.unref();
  histogram.enable();
  return end;
}
