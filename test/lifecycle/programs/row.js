import { record, u32 } from 'sluice';

export const Row = record({ number: u32 });
