/** Reads the static probes ("USDT") of an ELF file from its notes: see native/core/base/probe.h. */
import { readFileSync, statSync } from 'node:fs';

/** A probe, at one of the places where it fires. */
export interface Probe {
  readonly name: string;
  /** Where its arguments are, as `8@%rax 8@$1`: for each its size and its place, in the processor's assembler. */
  readonly args: string;
}

/** The addon has less than a megabyte. */
const bytesMax = 64 * 2 ** 20;
const elf64LittleEndian = Buffer.from('7f454c460201', 'hex');
const provider = 'sluice';

/**
 * Returns the probes of sluice in the file `path`, one for each place. The list is empty for files of other kinds, and
 * ends where the file is damaged.
 *
 * @throws the error of the file system, if the file cannot be read.
 */
export function probesOf(path: string): Probe[] {
  if (statSync(path).size > bytesMax) return [];
  const file = readFileSync(path);
  const probes: Probe[] = [];
  if (!file.subarray(0, elf64LittleEndian.length).equals(elf64LittleEndian)) return probes;
  try {
    for (const { offset, size } of sections(file, '.note.stapsdt')) {
      const notes = file.subarray(offset, offset + size);
      for (let at = 0; at + 12 <= notes.length; ) {
        // A note: the sizes of its owner's name and of its descriptor, its type; then both, each padded to four bytes.
        const descriptor = at + 12 + padded(notes.readUInt32LE(at));
        const next = descriptor + padded(notes.readUInt32LE(at + 4));
        // The descriptor: three addresses, then three texts.
        const [by, name, args] = notes.toString('latin1', descriptor + 24, next).split('\0');
        if (by === provider && name !== undefined && args !== undefined) probes.push({ name, args });
        at = next;
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // an offset that is not in the file
  }
  return probes;
}

/** Yields the sections of that name. */
function* sections(file: Buffer, name: string): Iterable<{ offset: number; size: number }> {
  const table = Number(file.readBigUInt64LE(0x28));
  const bytes = file.readUInt16LE(0x3a);
  const count = file.readUInt16LE(0x3c);
  const section = (index: number): { name: number; offset: number; size: number } => {
    const at = table + index * bytes;
    return {
      name: file.readUInt32LE(at),
      offset: Number(file.readBigUInt64LE(at + 0x18)),
      size: Number(file.readBigUInt64LE(at + 0x20)),
    };
  };
  const names = section(file.readUInt16LE(0x3e));
  for (let i = 0; i < count; i++) {
    const found = section(i);
    const at = names.offset + found.name;
    if (file.toString('latin1', at, at + name.length + 1) === `${name}\0`) yield found;
  }
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
