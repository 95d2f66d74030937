// Formats the C++ sources of native/, test/core/ and bench/ in place; with --check it only reports what would change.

import { spawnSync } from 'node:child_process';
import { findTool, sourcesIn } from './clang.js';

const program = findTool('clang-format');
const files = sourcesIn(['native', 'test/core', 'bench'], /\.(h|cc|cpp)$/);
const mode = process.argv.includes('--check') ? ['--dry-run', '--Werror'] : ['-i'];
const { status } = spawnSync(program, [...mode, ...files], { stdio: 'inherit' });
console.log(`${program}: ${files.length} files ${status === 0 ? 'in order' : 'NOT in order'}`);
process.exitCode = status ?? 1;
