export { ManualClock, type ManualClockHandle, nativeClock } from './manual-clock.js';
