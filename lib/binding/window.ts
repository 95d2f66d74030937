/**
 * This thread's window on the arena (native/platform/arena.h), the memory that native code shares with WebAssembly, and
 * the functions of the WebAssembly face. No code outside of lib/ may reach either of them: the window shows the memory
 * of all queues.
 *
 * A call of the face takes the cell of a queue object and the cell's key. A program can get hold of the functions, from
 * the call sites of an error that is thrown in one (`Error.prepareStackTrace`), but not of a key.
 */
import { Buffer } from 'node:buffer';
import { env } from 'node:process';
import { native } from './addon.js';
import { arenaPages } from './contract.js';
import { arrays } from './memory.js';
import { wasmModule } from './wasm-module.js';

/** The functions of the WebAssembly face: see native/session/queue_calls.h. */
export interface QueueFace {
  push(cell: number, low: number, high: number): number;
  pushMany(cell: number, low: number, high: number, count: number, more: number): number;
  takeOne(cell: number, low: number, high: number): number;
  next(cell: number, low: number, high: number, consumed: number, max: number): number;
}

export interface Window {
  /** All of the arena. A place in a cell is an offset in it. */
  readonly buffer: ArrayBuffer;
  readonly face: QueueFace;
}

/** What is used of `WebAssembly`, as it was when sluice was loaded. */
interface Wasm {
  readonly Memory: new (size: { initial: number; maximum: number; shared: boolean }) => object;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => object;
}

/** Returns a function that calls the getter of an accessor property of `Class`. */
function getter<T>(Class: new (...given: never[]) => object, name: string): (of: object) => T {
  const { get } = Object.getOwnPropertyDescriptor(Class.prototype, name) as { get: () => T };
  return Function.prototype.call.bind(get);
}

/** Undefined with `node --jitless`. */
const wasm = (globalThis as { WebAssembly?: Wasm }).WebAssembly;
const parts = wasm && {
  Memory: wasm.Memory,
  Module: wasm.Module,
  Instance: wasm.Instance,
  bufferOf: getter<ArrayBuffer>(wasm.Memory, 'buffer'),
  exportsOf: getter<QueueFace>(wasm.Instance, 'exports'),
};

function open(): Window | undefined {
  if (parts === undefined || env['SLUICE_WASM'] === 'off') return undefined;
  try {
    const memory = new parts.Memory({ initial: arenaPages, maximum: arenaPages, shared: true });
    const buffer = parts.bufferOf(memory);
    if (!native.openWindow(new arrays.Uint8Array(buffer))) return undefined;
    const octets = new arrays.Uint8Array(Buffer.from(wasmModule, 'base64'));
    const imports = { __proto__: null, env: { __proto__: null, memory } };
    const instance = new parts.Instance(new parts.Module(octets), imports);
    return { buffer, face: parts.exportsOf(instance) };
  } catch {
    return undefined; // the system or the program's settings allow no such memory, or no WebAssembly
  }
}

let opened: { readonly window: Window | undefined } | undefined;

/**
 * Returns this thread's window. The first call opens it. Undefined: this system or this process allows none, or the
 * environment variable `SLUICE_WASM` is 'off'; then all calls are native.
 */
export function windowOf(): Window | undefined {
  opened ??= { window: open() };
  return opened.window;
}
