import { join } from 'node:path';
import { lmdbStore } from 'sluice/overflow';

export const make = (directory, options) => lmdbStore(join(directory, 'store.db'), options);
