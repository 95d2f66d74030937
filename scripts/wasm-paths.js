// Proves that a thread that ends within the WebAssembly face leaves no claim unpublished. V8 ends a thread only at the
// beginning of a function, at its end, and at the head of a loop. So on every path from a claim that has succeeded (the
// compare-and-swap of a tail) to the store that publishes it (the next atomic store) there must be no call, no loop and
// no end of the function.
//
// It also proves that the module keeps nothing that threads would share: it uses no global and has no data.

import { op, readModule } from './wasm-code.js';

/**
 * What is known of a value. `won`: whether the value is not zero if the claim has succeeded; undefined: not known.
 * @typedef {{ won?: boolean, isClaim?: boolean }} Value
 * @typedef {{ stack: Value[], locals: Value[], expected: Value | undefined }} State
 * @typedef {import('./wasm-code.js').Code} Code
 */

/** Returns what is wrong with the module: one entry for each place. @param {Uint8Array} bytes */
export function faults(bytes) {
  const { functions, imports, sections } = readModule(bytes);
  const found = [];
  if (imports.join() !== 'env.memory') found.push(`imports ${imports.join(', ')}, not only its memory`);
  if (sections.has(11)) found.push('has data');
  for (const code of functions) {
    const claims = code.code.flatMap((each, i) => (each.op === op.compareExchange ? [i] : []));
    for (const each of code.code) {
      if (each.op === op.globalGet || each.op === op.globalSet) found.push(`${code.name}: uses a global`);
    }
    if (claims.length > 0 && code.name === undefined) found.push('a function that is not exported claims');
    for (const claim of claims) found.push(...new Set(walk(code, claim)));
  }
  const claiming = functions.filter(({ code }) => code.some((each) => each.op === op.compareExchange));
  if (claiming.length === 0) found.push('no function claims: the proof proves nothing');
  return found;
}

/** Whether the instruction opens a block. @param {number | undefined} opcode */
const opens = (opcode) => opcode === op.block || opcode === op.loop || opcode === op.if;

/** For each block, loop and if: the index of its `end`; for an if, also of its `else`. @param {Code} code */
function blocksOf({ code }) {
  const ends = new Map();
  const elses = new Map();
  const open = [];
  for (const [i, each] of code.entries()) {
    if (opens(each.op)) open.push(i);
    if (each.op === op.else) elses.set(open.at(-1), i);
    if (each.op === op.end) ends.set(open.pop(), i);
  }
  return { ends, elses };
}

/** How many values an instruction takes from the stack, and how many it gives. @param {number} opcode */
function effectOf(opcode) {
  if (opcode === op.drop) return [1, 0];
  if (opcode === op.select) return [3, 1];
  if (opcode >= 0x28 && opcode <= 0x35) return [1, 1]; // loads
  if (opcode >= 0x36 && opcode <= 0x3e) return [2, 0]; // stores
  if (opcode === 0x41 || opcode === 0x42) return [0, 1]; // constants
  if (opcode === 0x45 || opcode === 0x50) return [1, 1]; // eqz
  if ((opcode >= 0x46 && opcode <= 0x4f) || (opcode >= 0x51 && opcode <= 0x5a)) return [2, 1]; // comparisons
  if ((opcode >= 0x67 && opcode <= 0x69) || (opcode >= 0x79 && opcode <= 0x7b)) return [1, 1]; // clz, ctz, popcnt
  if ((opcode >= 0x6a && opcode <= 0x78) || (opcode >= 0x7c && opcode <= 0x8a)) return [2, 1]; // arithmetic
  if (opcode >= 0xa7 && opcode <= 0xc4) return [1, 1]; // conversions
  if (opcode === op.memoryCopy) return [3, 0];
  if (opcode === op.fence || opcode === 0x01) return [0, 0];
  if (opcode >= 0xfe10 && opcode <= 0xfe16) return [1, 1]; // atomic loads
  if (opcode >= 0xfe17 && opcode <= 0xfe1d) return [2, 0]; // atomic stores
  if (opcode >= 0xfe1e && opcode <= 0xfe47) return [2, 1]; // read-modify-writes
  if (opcode >= 0xfe48 && opcode <= 0xfe4e) return [3, 1]; // compare-and-swaps
  throw new Error(`an instruction that is not known: 0x${opcode.toString(16)}`);
}

/**
 * Follows every path that begins with the success of the claim at instruction `claim`. Nothing is known of the locals
 * then, except that the one from which the expected value came still has it.
 * @param {Code} code @param {number} claim @returns {Iterable<string>}
 */
function* walk(code, claim) {
  const { ends, elses } = blocksOf(code);
  const outer = [];
  for (let i = 0; i < claim; i++) {
    if (opens(code.code[i]?.op)) outer.push(i);
    if (code.code[i]?.op === op.end) outer.pop();
  }
  /** @type {Value} */
  const claimed = { isClaim: true };
  /** @type {Map<number, Value>} */
  const locals = new Map();
  /** @type {Value} */
  const expected = {};
  const from = expectedLocal(code, claim);
  if (from !== undefined) locals.set(from, expected);
  const name = code.name;

  /**
   * @param {number} at @param {number[]} around @param {Value[]} stack @param {Map<number, Value>} known
   * @returns {Iterable<string>}
   */
  function* follow(at, around, stack, known) {
    let open = around;
    for (let i = at; ; i++) {
      const each = code.code[i];
      if (each === undefined) {
        yield `${name}: ends between a claim and its publication`;
        return;
      }
      const pop = () => stack.pop() ?? {};
      /** @param {number} depth */
      const branch = function* (depth) {
        const target = open.at(-1 - depth);
        if (target === undefined) yield `${name}: ends between a claim and its publication`;
        else if (code.code[target]?.op === op.loop)
          yield `${name}: a loop between a claim and its publication`;
        else yield* follow(ends.get(target) + 1, open.slice(0, -1 - depth), [], new Map(known));
      };
      switch (each.op) {
        case op.atomicStore:
          return; // published
        case op.call:
        case op.callIndirect:
          yield `${name}: a call between a claim and its publication`;
          return;
        case op.loop:
          yield `${name}: a loop between a claim and its publication`;
          return;
        case op.return:
          yield `${name}: ends between a claim and its publication`;
          return;
        case 0x00:
          return; // a trap, which ends the program
        case op.block:
          open = [...open, i];
          break;
        case op.if: {
          const { won } = pop();
          const otherwise = elses.get(i);
          const end = ends.get(i);
          if (won !== true) {
            if (otherwise === undefined) yield* follow(end + 1, open, [], new Map(known));
            else yield* follow(otherwise + 1, [...open, i], [], new Map(known));
          }
          if (won === false) return;
          open = [...open, i];
          break;
        }
        case op.else:
          i = ends.get(open.at(-1));
          open = open.slice(0, -1);
          break;
        case op.end:
          open = open.slice(0, -1);
          if (i === code.code.length - 1) {
            yield `${name}: ends between a claim and its publication`;
            return;
          }
          break;
        case op.br:
          yield* branch(each.numbers[0] ?? 0);
          return;
        case op.brIf: {
          const { won } = pop();
          if (won !== false) yield* branch(each.numbers[0] ?? 0);
          if (won === true) return;
          break;
        }
        case op.brTable:
          for (const depth of new Set(each.numbers)) yield* branch(depth);
          return;
        case op.localGet: {
          const local = each.numbers[0] ?? 0;
          if (!known.has(local)) known.set(local, {});
          stack.push(known.get(local) ?? {});
          break;
        }
        case op.localSet:
          known.set(each.numbers[0] ?? 0, pop());
          break;
        case op.localTee:
          known.set(each.numbers[0] ?? 0, stack.at(-1) ?? {});
          break;
        case op.i64Eq:
        case op.i64Ne: {
          const two = [pop(), pop()];
          const compares = two.includes(claimed) && two.includes(expected);
          stack.push(compares ? { won: each.op === op.i64Eq } : {});
          break;
        }
        case op.i32Eqz: {
          const { won } = pop();
          stack.push(won === undefined ? {} : { won: !won });
          break;
        }
        default: {
          const [takes = 0, gives = 0] = effectOf(each.op);
          for (let n = 0; n < takes; n++) pop();
          for (let n = 0; n < gives; n++) stack.push({});
        }
      }
    }
  }
  yield* follow(claim + 1, outer, [claimed], locals);
}

/**
 * Returns the local from which the compare-and-swap at `claim` takes its expected value; undefined: none, so nothing is
 * known of what the result is compared with. Clang computes the new value, the third operand, last.
 * @param {Code} code @param {number} claim
 */
function expectedLocal({ code }, claim) {
  let depth = 0; // how many values the instructions behind `i` leave on the stack
  for (let i = claim - 1; i >= 0; i--) {
    const each = code[i];
    if (each === undefined) return undefined;
    if (depth === 1) return each.op === op.localGet || each.op === op.localTee ? each.numbers[0] : undefined;
    if (each.op === op.localGet) depth += 1;
    else if (each.op === op.localTee) continue;
    else {
      const [takes = 0, gives = 0] = effectOf(each.op);
      depth += gives - takes;
    }
  }
  return undefined;
}
