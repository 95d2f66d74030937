import { join } from 'node:path';
import { sqliteStore } from 'sluice/overflow';

export const make = (directory, options) => sqliteStore(join(directory, 'store.db'), options);
