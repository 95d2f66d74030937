import type { NativeHandle } from './handle.js';

export interface NativeClock {
  readonly handle: NativeHandle;
  now(): number;
  advance(ns: number): number;
}
