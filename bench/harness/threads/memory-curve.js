/** The resident memory of this process over time. */

import { residentBytes } from './resident-memory.js';

const EVERY_MS = 10;

/** Starts to sample. */
export function memoryCurve() {
  const start = performance.now();
  const before = residentBytes();
  /** @type {Array<[atMs: number, growth: number]>} bytes since the start */
  const points = [];
  const look = () => {
    points.push([performance.now() - start, residentBytes() - before]);
  };
  look();
  const timer = setInterval(look, EVERY_MS);
  return {
    /** Stops. @returns {{ points: typeof points, growth: number }} the growth is the largest seen, 0 or more */
    end() {
      clearInterval(timer);
      look();
      return { points, growth: Math.max(...points.map(([, bytes]) => bytes)) };
    },
  };
}
