import { record, u32, u64 } from 'sluice';

/** A record that tells which thread has pushed it, as its how manieth, and whether it is whole. */
export const Row = record({ thread: u32, number: u32, copy: u64 });
