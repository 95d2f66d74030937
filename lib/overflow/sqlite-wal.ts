import { readFileSync } from 'node:fs';

/**
 * Looks through the write-ahead log of a SQLite file for transactions that were durable and that SQLite passes over:
 * when it opens a log, it takes the frames up to the first one whose checksum is wrong, and says nothing about those
 * behind. The format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
 *
 *   header (32 bytes): | magic | version | page size | checkpoints | salt 1 | salt 2 | checksum 1 | checksum 2 |
 *   frame:             | page number | pages of the file after a commit, else 0 | salts | checksums | page |
 */

const headerBytes = 32;
const frameHeaderBytes = 24;
/** The magic number of a log whose checksums read its words as little-endian numbers. Big-endian: one more. */
const magicOfLittleEndian = 0x377f0682;

const headerAt = { magic: 0, pageSize: 8, salts: 16, checksums: 24 } as const;
const frameAt = { pagesAfterCommit: 4, salts: 8, checksums: 16 } as const;

/** Returns what is wrong with the log at `path`; undefined if nothing is, or if there is no log. */
export function damageOfLog(path: string): string | undefined {
  let log: DataView;
  try {
    const { buffer, byteOffset, byteLength } = readFileSync(path);
    log = new DataView(buffer, byteOffset, byteLength);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (log.byteLength < headerBytes) return undefined;
  const little = log.getUint32(headerAt.magic) === magicOfLittleEndian;
  const frameBytes = frameHeaderBytes + log.getUint32(headerAt.pageSize);
  let sums = checksum(log, 0, headerAt.checksums, [0, 0], little);
  if (!matches(log, headerAt.checksums, sums)) {
    return log.byteLength > headerBytes ? 'the header of its write-ahead log is damaged' : undefined;
  }
  const frames = Math.floor((log.byteLength - headerBytes) / frameBytes);
  const isOfThisLog = (at: number): boolean =>
    log.getBigUint64(at + frameAt.salts) === log.getBigUint64(headerAt.salts);
  let frame = 0;
  for (; frame < frames; frame++) {
    const at = headerBytes + frame * frameBytes;
    if (!isOfThisLog(at)) break;
    sums = checksum(log, at, frameAt.salts, sums, little);
    sums = checksum(log, at + frameHeaderBytes, frameBytes - frameHeaderBytes, sums, little);
    if (!matches(log, at + frameAt.checksums, sums)) break;
  }
  let commits = 0;
  for (; frame < frames; frame++) {
    const at = headerBytes + frame * frameBytes;
    if (isOfThisLog(at) && log.getUint32(at + frameAt.pagesAfterCommit) !== 0) commits++;
  }
  if (commits > 0) return `its write-ahead log is damaged before ${commits} transactions`;
  // It may have been cut off; or the process was killed while it wrote a transaction, which was not durable yet.
  const left = (log.byteLength - headerBytes) % frameBytes;
  return left === 0 ? undefined : 'its write-ahead log ends within a page: a transaction may be missing';
}

function matches(log: DataView, at: number, [first, second]: readonly [number, number]): boolean {
  return log.getUint32(at) === first && log.getUint32(at + 4) === second;
}

function checksum(
  log: DataView,
  at: number,
  bytes: number,
  [first, second]: readonly [number, number],
  little: boolean,
): [number, number] {
  let a = first;
  let b = second;
  for (let i = at; i < at + bytes; i += 8) {
    a = (a + log.getUint32(i, little) + b) >>> 0;
    b = (b + log.getUint32(i + 4, little) + a) >>> 0;
  }
  return [a, b];
}
