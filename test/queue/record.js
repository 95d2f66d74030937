import { record, u8, u32 } from 'sluice';

/** The record of these tests' producers: the producer, the record's sequence number, and a checksum of both. */
export const Numbered = record({ producer: u8, sequence: u32, checksum: u32 });

/**
 * @param {number} producer
 * @param {number} sequence
 */
export function checksum(producer, sequence) {
  return Math.imul(sequence ^ (producer << 24), 0x9e3779b1) >>> 0;
}

/**
 * @param {number} producer
 * @param {number} sequence
 */
export function numbered(producer, sequence) {
  return { producer, sequence, checksum: checksum(producer, sequence) };
}
