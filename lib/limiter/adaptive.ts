import { monitorEventLoopDelay } from 'node:perf_hooks';
import { clearInterval, setInterval } from 'node:timers';
import { type NativeLimiter, Weak } from '../binding/index.js';

/** The interval at which the delay is sampled. The histogram counts it as delay, too. */
const resolutionMs = 10;

/**
 * Reports to the limiter, interval by interval, whether this thread's event loop is later than it may be. Keeps neither
 * the event loop nor `owner` alive. Returns the function that ends it.
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
    // Differences, because reset() would lose the first delay after it.
    const count = histogram.count;
    const sum = count === 0 ? 0 : count * histogram.mean;
    const delayMs = count === counted ? 0 : (sum - summed) / (count - counted) / 1e6 - resolutionMs;
    counted = count;
    summed = sum;
    // For twice the interval, so that it lasts until the next interval has been judged, even if that is late.
    limiter.overload(delayMs > maxEventLoopDelayMs ? Math.round(2 * adaptiveIntervalMs * 1e6) : 0);
  }, adaptiveIntervalMs);
  timer.unref();
  histogram.enable();
  return end;
}
