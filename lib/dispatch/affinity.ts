/** The only file of lib/dispatch that calls native code. */
import { native } from '../binding/index.js';

/**
 * Binds the calling thread to a processor. Returns whether it did; undefined where the system has no call for it: only
 * Linux has.
 */
export function pinThisThread(processor: number): boolean | undefined {
  return native.pinThread(processor);
}
