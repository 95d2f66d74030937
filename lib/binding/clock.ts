import type { clockFunctions } from './contract.js';
import type { NativeHandle } from './handle.js';

interface ClockCalls {
  now(): number;
  advance(ns: number): number;
}

export type NativeClock = Pick<ClockCalls, (typeof clockFunctions)[number]> & {
  readonly handle: NativeHandle;
};
