// `node scripts/packages.js bench test`: installs the packages of these folders, unless they are installed. They are
// apart from those of the root, so that a checkout without tests and benchmarks stays small. The examples use the
// packages of the tests.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

for (const folder of process.argv.slice(2)) {
  const file = `${root}${folder}/package-lock.json`;
  if (!existsSync(file)) continue;
  const lock = createHash('sha256').update(readFileSync(file)).digest('hex');
  const installed = `${root}${folder}/node_modules/.installed`; // the lock file that was installed
  if (existsSync(installed) && readFileSync(installed, 'utf8') === lock) continue;
  console.error(`npm ci --prefix ${folder}`);
  const args = ['ci', '--prefix', folder, '--no-audit', '--no-fund'];
  // npm is a script on Windows: only a shell starts it.
  const isWindows = process.platform === 'win32';
  const { status } = spawnSync('npm', args, { cwd: root, stdio: 'inherit', shell: isWindows });
  if (status !== 0) {
    console.error(`The packages of ${folder}/ could not be installed: see above.`);
    process.exit(1);
  }
  if (folder === 'test') {
    rmSync(`${root}examples/node_modules`, { recursive: true, force: true });
    symlinkSync(`${root}test/node_modules`, `${root}examples/node_modules`, 'junction');
  }
  writeFileSync(installed, lock);
}
