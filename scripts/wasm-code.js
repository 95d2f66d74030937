// Reads the functions of a WebAssembly module, and inserts calls into them: for scripts/wasm-paths.js and test/wasm.
// It knows the instructions that clang makes of native/wasm, and refuses others.

/**
 * One instruction: its opcode (of a prefixed one 0x100 times the prefix plus its number), its immediate numbers,
 * and where it begins and ends in the module's bytes.
 * @typedef {{ op: number, numbers: number[], start: number, end: number }} Instruction
 * @typedef {{ name: string | undefined, results: number, code: Instruction[], parameters: number }} Code
 * @typedef {{ functions: Code[], imports: string[], sections: Map<number, { start: number, end: number }> }} Module
 */

export const op = Object.freeze({
  ...{ block: 0x02, loop: 0x03, if: 0x04, else: 0x05, end: 0x0b, br: 0x0c, brIf: 0x0d, brTable: 0x0e },
  ...{ return: 0x0f, call: 0x10, callIndirect: 0x11, drop: 0x1a, select: 0x1b },
  ...{ localGet: 0x20, localSet: 0x21, localTee: 0x22, globalGet: 0x23, globalSet: 0x24 },
  ...{ i32Eqz: 0x45, i64Eq: 0x51, i64Ne: 0x52, memoryCopy: 0xfc0a },
  ...{ fence: 0xfe03, atomicStore: 0xfe18, compareExchange: 0xfe49 },
});

const section = Object.freeze({ types: 1, imports: 2, functions: 3, exports: 7, code: 10 });

/** Returns the bytes of an unsigned number as LEB128. @param {number} value */
function leb(value) {
  const bytes = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

class Reader {
  /** @param {Uint8Array} bytes @param {number} at */
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
  }
  byte() {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw new Error('the module ends too early');
    this.at += 1;
    return byte;
  }
  /** Reads a LEB128 number. Only the size of a signed or long one counts here. */
  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      if (shift < 32) value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }
  /** @template T @param {() => T} read @returns {T[]} */
  list(read) {
    return Array.from({ length: this.number() }, read);
  }
  name() {
    const length = this.number();
    this.at += length;
    return Buffer.from(this.bytes.subarray(this.at - length, this.at)).toString();
  }
}

/** Reads one instruction. @param {Reader} from @returns {Instruction} */
function instruction(from) {
  const start = from.at;
  let code = from.byte();
  /** @type {number[]} */
  let numbers = [];
  if (code === 0xfc || code === 0xfe) {
    code = code * 0x100 + from.number();
    const known = code === op.memoryCopy || code === op.fence || (code >= 0xfe10 && code <= 0xfe4e);
    if (!known) throw new Error(`an instruction that is not known: 0x${code.toString(16)}`);
    numbers = code === op.fence ? [from.number()] : [from.number(), from.number()];
  } else if (code >= 0x02 && code <= 0x04) {
    numbers = [from.number()]; // a type
  } else if (code === op.brTable) {
    numbers = [...from.list(() => from.number()), from.number()];
  } else if (code === op.callIndirect) {
    numbers = [from.number(), from.number()];
  } else if (code === 0x41 || code === 0x42) {
    numbers = [from.number()]; // i32.const, i64.const
  } else if (code >= 0x28 && code <= 0x3e) {
    numbers = [from.number(), from.number()]; // loads and stores
  } else if (code === op.br || code === op.brIf || code === op.call || (code >= 0x20 && code <= 0x24)) {
    numbers = [from.number()];
  } else if (![0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b].includes(code) && !(code >= 0x45 && code <= 0xc4)) {
    throw new Error(`an instruction that is not known: 0x${code.toString(16)}`);
  }
  return { op: code, numbers, start, end: from.at };
}

/** @param {Uint8Array} bytes @returns {Module} */
export function readModule(bytes) {
  /** @type {Module['sections']} */
  const sections = new Map();
  for (let at = 8; at < bytes.length; ) {
    const from = new Reader(bytes, at);
    const id = from.byte();
    const length = from.number();
    sections.set(id, { start: from.at, end: from.at + length });
    at = from.at + length;
  }
  /** @param {number} id @param {(from: Reader) => any} read */
  const listIn = (id, read) => {
    const found = sections.get(id);
    if (found === undefined) return [];
    const from = new Reader(bytes, found.start);
    return from.list(() => read(from));
  };
  const types = listIn(section.types, (from) => {
    from.byte();
    return [from.list(() => from.byte()).length, from.list(() => from.byte()).length];
  });
  /** @type {Array<{ name: string, kind: number }>} */
  const imported = listIn(section.imports, (from) => {
    const name = `${from.name()}.${from.name()}`;
    const kind = from.byte();
    if (kind === 0) from.number();
    else if (kind === 2) {
      const limits = from.byte();
      from.number();
      if ((limits & 1) !== 0) from.number();
    } else throw new Error(`an import that is not known: ${name}`);
    return { name, kind };
  });
  const shift = imported.filter(({ kind }) => kind === 0).length;
  const names = new Map(
    listIn(section.exports, (from) => {
      const name = from.name();
      return [from.byte() === 0 ? from.number() - shift : -1 - from.number(), name];
    }),
  );
  /** @type {number[]} */
  const typeOf = listIn(section.functions, (from) => from.number());
  let index = 0;
  const functions = listIn(section.code, (from) => {
    const size = from.number();
    const end = from.at + size;
    from.list(() => [from.number(), from.byte()]);
    const code = [];
    while (from.at < end) code.push(instruction(from));
    const [parameters, results] = types[typeOf[index] ?? -1];
    return { name: names.get(index++), parameters, results, code };
  });
  return { functions, imports: imported.map(({ name }) => name), sections };
}

/** A call of the imported function `system.hook`, which is the first function of the module. */
export const hook = Object.freeze([op.call, 0]);

/**
 * Returns the module with calls of an imported function `system.hook` wherever V8 may end a thread: at the beginning of
 * each function, at its end and at each head of a loop.
 * @param {Uint8Array} bytes
 * @param {(code: Code, i: number) => readonly number[]} [before] further code to insert before instruction `i`
 */
export function withHooks(bytes, before = () => []) {
  const { functions, imports, sections } = readModule(bytes);
  if (imports.length !== 1) throw new Error('a module that imports its memory only is expected');
  const types = new Reader(bytes, sections.get(section.types)?.start ?? 0).number();
  /** @param {number} id @param {number} extra @param {number[]} content */
  const withOne = (id, extra, content) => {
    const { start, end } = /** @type {{ start: number, end: number }} */ (sections.get(id));
    const from = new Reader(bytes, start);
    const count = from.number();
    const rest = bytes.subarray(from.at, end);
    // The imported function comes first, so that it is function 0; its type comes last.
    return [
      ...leb(count + extra),
      ...(id === section.imports ? [...content, ...rest] : [...rest, ...content]),
    ];
  };
  /** @param {string} text */
  const named = (text) => [...leb(text.length), ...Buffer.from(text)];
  const bodies = functions.flatMap((code) => {
    const first = code.code[0]?.start ?? 0;
    const locals = localsBefore(bytes, first, code, functions);
    /** @type {number[]} */
    const body = [...locals, ...hook, op.block, 0x7f]; // a branch out of the function ends here
    for (const [i, { op: opcode, start, end }] of code.code.entries()) {
      body.push(...before(code, i));
      if (opcode === op.return) body.push(...hook);
      body.push(...bytes.subarray(start, end));
      if (opcode === op.loop) body.push(...hook);
    }
    body.push(...hook, op.end);
    return [...leb(body.length), ...body];
  });
  const out = [...bytes.subarray(0, 8)];
  for (const [id, { start, end }] of sections) {
    let content = [...bytes.subarray(start, end)];
    if (id === section.types) content = withOne(id, 1, [0x60, 0, 0]);
    if (id === section.imports) {
      content = withOne(id, 1, [...named('system'), ...named('hook'), 0, ...leb(types)]);
    }
    if (id === section.exports) content = shiftedExports(bytes, start);
    if (id === section.code) content = [...leb(functions.length), ...bodies];
    if (id !== 0) out.push(id, ...leb(content.length), ...content);
  }
  return new Uint8Array(out);
}

/** Returns the exports of functions, whose numbers are one larger. @param {Uint8Array} bytes @param {number} start */
function shiftedExports(bytes, start) {
  const from = new Reader(bytes, start);
  const entries = from.list(() => {
    const at = from.at;
    from.name();
    const name = bytes.subarray(at, from.at);
    if (from.byte() !== 0) throw new Error('only functions are exported');
    return [...name, 0, ...leb(from.number() + 1)];
  });
  return [...leb(entries.length), ...entries.flat()];
}

/**
 * Returns the bytes of the declarations of locals, which end where the first instruction begins.
 * @param {Uint8Array} bytes @param {number} first @param {Code} code @param {Code[]} functions
 */
function localsBefore(bytes, first, code, functions) {
  const index = functions.indexOf(code);
  const { start } = /** @type {{ start: number }} */ (readModule(bytes).sections.get(section.code));
  const from = new Reader(bytes, start);
  from.number();
  for (let i = 0; ; i++) {
    const size = from.number();
    if (i === index) return bytes.subarray(from.at, first);
    from.at += size;
  }
}
