/** The handler of the group dispatch: it computes for a while, and counts. */
import { readFileSync } from 'node:fs';
import { cell, histogramOf, PHASES } from './shared.js';

const computeNs = 20_000;

/** @type {Int32Array} */
let cells;
/** @type {{ record(ns: number): void }} */
let latencies;
/** This thread's context switches at its first order of the saturated phase. @type {number | undefined} */
let switchesBefore;

/** @param {SharedArrayBuffer} shared */
export function setup(shared) {
  cells = new Int32Array(shared);
  latencies = histogramOf(cells);
}

export function teardown() {
  countSwitches();
}

/** @param {{ sentAt: number }} order */
export default function handle({ sentAt }) {
  const begunAt = now();
  const phase = Atomics.load(cells, cell.phase);
  if (phase === PHASES.saturated) {
    switchesBefore ??= contextSwitches();
    Atomics.add(cells, cell.handled, 1);
  } else if (phase === PHASES.paced) {
    countSwitches();
    if (sentAt > 0) latencies.record(begunAt - sentAt); // the last orders of the saturated phase have no time
  }
  while (now() - begunAt < computeNs);
}

/** Adds up the context switches of the saturated phase, once. */
function countSwitches() {
  if (switchesBefore === undefined || switchesBefore < 0) return;
  Atomics.add(cells, cell.switches, contextSwitches() - switchesBefore);
  switchesBefore = -1;
}

/** Nanoseconds of the clock that all threads share. */
function now() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e9 + nanoseconds;
}

/** How often the calling thread has lost its processor, or given it up. */
function contextSwitches() {
  const status = readFileSync('/proc/thread-self/status', 'utf8');
  return [...status.matchAll(/ctxt_switches:\s*(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
}
