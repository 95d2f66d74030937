// killed-opening.js <path> <transactions>: opens the LMDB file of a store, and kills this process after that many
// transactions. With 0 it kills nothing, and prints "opened".
import { open } from 'lmdb';
import { LmdbFile } from '../../../dist/overflow/lmdb-file.js';

const [path = '', transactions] = process.argv.slice(2);
const database = open({ path, noSubdir: true, encoding: 'binary', maxDbs: 2 });
let left = Number(transactions);
const { transactionSync } = database;
database.transactionSync = (/** @type {any[]} */ ...given) => {
  const result = Reflect.apply(transactionSync, database, given);
  if (--left === 0) process.kill(process.pid, 'SIGKILL');
  return result;
};
const format = { schema: 7n, entryBytes: 16, lanes: 2 };
Reflect.construct(LmdbFile, [database, path, format]).close();
console.log('opened');
