import { execFileSync } from 'node:child_process';
import { nodes } from '../program.js';
import { conforms } from './conformance.js';

/** The binaries that have `node:sqlite` without a flag, the oldest first. */
const withSqlite = nodes.filter(
  ({ node }) =>
    execFileSync(node, ['-p', 'process.versions.sqlite ?? ""'], { encoding: 'utf8' }).trim() !== '',
);
const [oldest] = withSqlite;
const newest = withSqlite.at(-1);

const sqlite = {
  module: new URL('./stores/sqlite.js', import.meta.url),
  hasFiles: true,
  checksStructure: true,
};
conforms({
  ...sqlite,
  name: `sqliteStore, Node.js ${oldest?.name ?? '(none that has it)'}`,
  node: oldest?.node,
});
if (newest !== oldest) {
  conforms({ ...sqlite, name: `sqliteStore, Node.js ${newest?.name}`, node: newest?.node });
}

conforms({
  name: `lmdbStore, Node.js ${process.version}`,
  node: process.execPath,
  module: new URL('./stores/lmdb.js', import.meta.url),
  hasFiles: true,
  checksStructure: false,
});
