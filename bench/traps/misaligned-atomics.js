/**
 * Trap 5: atomics at misaligned addresses.
 *
 * An atomic of 8 bytes is atomic at an address that is a multiple of 8. In shared memory it is easily elsewhere: after
 * a header of 61 bytes in front of the ring, in a mapping at some offset of a file format, or behind a pointer that a
 * careless cast made from a byte buffer. In JavaScript a typed array refuses such an offset; a C++ cast does not. The
 * effect depends on the processor, so the author's tests may pass:
 *   - x86-64 goes on. A locked add across the border of two cache lines locks the bus: it takes a hundred times as
 *     long, and delays every processor of the machine. And a plain load there is not atomic: it sees half of one store
 *     and half of another, a value that no thread ever wrote. There is no fault and no message.
 *   - aarch64 kills the process with SIGBUS. (Go's 64-bit atomics on 32-bit ARM are the well-known case.)
 *
 * sluice takes every segment from the system, page-aligned, and checks the alignment again at each attach: if the base
 * is not a multiple of 128, attaching throws an error before it reads a byte. Every atomic in a segment has its natural
 * alignment, which is asserted at compile time.
 *
 * The trap offers the core a segment at each misaligned offset in a cache line (of 128 bytes). It puts a naive word
 * across the border of two lines of 64 bytes, the lines of x86-64. With a cross compiler and qemu the same source runs
 * on aarch64 as well.
 */
import { aarch64, host } from '../../test/core/compiler.js';
import { answer, ProgramFailed, program, whyNot } from '../harness/repository-only/native/native-program.js';
import { runTrap } from './trap.js';

const source = new URL('./misaligned-atomics.cc', import.meta.url);
const title = 'Misaligned atomics: torn, slow or fatal, or refused';
/**
 * The offset of the naive word from the start of 128 aligned bytes. Where cache lines have 64 bytes, half of the word
 * is in one of them and half in the next.
 */
const ACROSS = 60;
const ALIGNED = 0;

/** @typedef {import('../harness/repository-only/native/native-program.js').Program} Program */

/** Returns the program's answer, or the signal that killed it. @param {ReturnType<Program>} running */
async function answerOrEnd(running) {
  const ended = await running;
  try {
    return await answer(Promise.resolve(ended));
  } catch (error) {
    if (!(error instanceof ProgramFailed)) throw error;
    return ended.problem || `exit code ${ended.code}`;
  }
}

/** @param {Program} run @param {number} rounds @param {boolean} quick */
async function here(run, rounds, quick) {
  const adds = quick ? 1_000 : 20_000; // few: while the bus is locked, the whole machine waits
  const reads = quick ? 20_000_000 : 100_000_000;
  /** @type {{ torn: { naive: number[], sluice: number[] }, add: { naive: number[], sluice: number[] } }} */
  const samples = { torn: { naive: [], sluice: [] }, add: { naive: [], sluice: [] } };
  for (let round = 0; round < rounds; round++) {
    for (const [side, offset] of /** @type {const} */ ([
      ['naive', ACROSS],
      ['sluice', ALIGNED],
    ])) {
      const added = await answerOrEnd(run(['add', offset, adds]));
      if (typeof added === 'string') return added;
      samples.add[side].push(added.nsPerOperation);
      samples.torn[side].push((await answer(run(['torn', offset, reads]))).torn);
    }
  }
  /** @type {import('./trap.js').Figure[]} */
  const figures = [
    {
      id: 'torn',
      what: `reads that saw a value nobody wrote, of ${reads / 1e6} million`,
      unit: 'count',
      ...samples.torn,
    },
    { id: 'add', what: 'locked add', unit: 'ns', ...samples.add },
  ];
  return figures;
}

/** @param {import('./trap.js').Settings} settings @returns {Promise<import('./trap.js').Measured>} */
async function measure({ quick, rounds }) {
  const noCompiler = await whyNot(host);
  if (noCompiler !== undefined) return { figures: [], seen: [], missing: [noCompiler] };
  const run = await program(source);
  const measured = await here(run, rounds, quick);
  const refusals = [{ where: process.arch, ...(await answer(run(['refused']))) }];
  const figures = typeof measured === 'string' ? [] : measured;
  const missing = [];
  const seen = [];
  if (typeof measured === 'string') {
    seen.push({ claim: `naive: the process dies here (${measured})`, holds: measured.includes('SIGBUS') });
  }

  const noEmulator = await whyNot(aarch64);
  if (noEmulator === undefined) {
    const emulated = await program(source, { target: aarch64, more: ['-static'] });
    const naive = await answerOrEnd(emulated(['add', ACROSS, 1]));
    const end = typeof naive === 'string' ? naive : 'no fault';
    const onAarch64 = { where: 'aarch64', ...(await answer(emulated(['refused']))) };
    refusals.push(onAarch64);
    figures.push({
      id: 'aarch64',
      what: 'on aarch64, under qemu: one add, or an attach at each offset',
      unit: 'count',
      compare: false,
      naive: end,
      sluice: `${onAarch64.refused} of ${onAarch64.offered} refused`,
    });
    const aligned = await answerOrEnd(emulated(['add', ALIGNED, 1]));
    seen.push(
      {
        claim: `naive, aarch64: one misaligned add ends the process (${end})`,
        holds: end.includes('SIGBUS'),
      },
      { claim: 'aarch64: an aligned one does not', holds: typeof aligned !== 'string' },
    );
  } else {
    missing.push(`aarch64: ${noEmulator}`);
  }
  for (const { where, offered, refused, attached } of refusals) {
    seen.push({
      claim: `sluice, ${where}: a segment at ${refused} of ${offered} misaligned addresses is refused, an aligned one is not`,
      holds: refused === 127 && offered === 127 && attached,
    });
  }
  return { figures, seen, missing };
}

await runTrap(import.meta.url, { title, measure });
