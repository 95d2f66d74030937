// Makes a file of another program: node foreign-database.js sqlite|lmdb <path>
const [, , engine, path] = process.argv;

if (engine === 'sqlite') {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const db = new DatabaseSync(path);
  db.exec("CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('Ada')");
  db.close();
} else {
  const { open } = await import('lmdb');
  const db = open({ path, noSubdir: true });
  db.putSync('Ada', { name: 'Ada' });
  db.openDB({ name: 'users' }).putSync(1, 'Ada');
  await db.close();
}
