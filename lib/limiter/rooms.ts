import { checkedAnswer, limiterStaging, type NativeLimiter } from '../binding/index.js';
import type { Key } from './key.js';

/** Offsets in the staging buffer, in words of 64 bits. */
const roomsWord = limiterStaging.rooms / 8;
const roomWords = limiterStaging.roomBytes / 8;

/**
 * How much one tier by itself would allow now, and after how many milliseconds it would allow one more: Infinity if
 * that does not depend on time.
 */
export interface Room {
  readonly left: number;
  readonly moreInMs: number;
}
export interface Rooms {
  readonly bucket: Room;
  readonly depth: Room;
  readonly windows: readonly Room[];
}

/** See `roomsOf` in limiter.ts. */
export function readRooms(native: NativeLimiter, staging: Float64Array, key: Key | undefined): Rooms {
  checkedAnswer('Limiter', native.rooms(0, key));
  const room = (i: number): Room => ({
    left: staging[roomsWord + roomWords * i] as number,
    moreInMs: staging[roomsWord + roomWords * i + 1] as number,
  });
  const windows = native.windows.map((_, i) => room(2 + i));
  return { bucket: room(0), depth: room(1), windows };
}
