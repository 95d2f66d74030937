// npm runs this after it has installed the packages of bench/ or test/. There `import 'sluice'` has the
// sluice of this checkout: the folder has a package.json of its own, so Node.js does not look for it in the root's.

import { rmSync, symlinkSync } from 'node:fs';
import { resolve } from 'node:path';

const link = resolve('node_modules/sluice');
rmSync(link, { force: true });
symlinkSync(resolve('..'), link, 'junction');
