import { describe, expect, it } from 'vitest';
import { wasmModule } from '../../dist/binding/wasm-module.js';
import { hook, op, readModule, withHooks } from '../../scripts/wasm-code.js';
import { faults } from '../../scripts/wasm-paths.js';

const shipped = new Uint8Array(Buffer.from(wasmModule, 'base64'));

/** Returns the shipped module with `code` before each store that publishes a claim. */
const broken = (code: readonly number[]) =>
  withHooks(shipped, (from, i) => (from.code[i]?.op === op.atomicStore ? code : []));

describe('the WebAssembly module', () => {
  it('has no call, no loop and no end between a claim and its publication, and shares nothing', () => {
    expect(faults(shipped)).toEqual([]);
  });

  it('has one function for each call, and imports its memory only', () => {
    const { functions, imports } = readModule(shipped);
    expect(functions.map(({ name }) => name)).toEqual(['push', 'pushMany', 'takeOne', 'next']);
    expect(imports).toEqual(['env.memory']);
  });
});

describe('the proof', () => {
  it.each([
    ['a call', hook],
    ['a loop', [op.loop, 0x40, op.end]],
    ['ends', [0x41, 0, op.return]],
  ])('finds %s', (what, code) => {
    const found = faults(broken(code)).filter((fault) => !fault.startsWith('imports'));
    expect(found).toContain(`push: ${what} between a claim and its publication`);
    expect(found).toContain(`pushMany: ${what} between a claim and its publication`);
  });

  it('finds a global', () => {
    const used = withHooks(shipped, (_, i) => (i === 0 ? [op.globalGet, 0, op.drop] : []));
    expect(faults(used)).toContain('push: uses a global');
  });

  it('refuses a module in which nothing claims', () => {
    const empty = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    expect(faults(empty)).toContain('no function claims: the proof proves nothing');
  });
});
