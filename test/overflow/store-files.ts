import { execFileSync } from 'node:child_process';
import { nodes } from '../program.js';

const withSqlite = nodes.find(
  ({ node }) =>
    execFileSync(node, ['-p', 'process.versions.sqlite ?? ""'], { encoding: 'utf8' }).trim() !== '',
);

/** The stores in files: the module in stores/ that makes each, and the Node.js that can run it, if there is one. */
export const storeFiles = [
  { name: 'lmdbStore', file: 'lmdb.js', node: process.execPath as string | undefined },
  { name: 'sqliteStore', file: 'sqlite.js', node: withSqlite?.node },
];
