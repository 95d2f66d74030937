// Writes lib/observe/dashboard-page.ts: the page of the dashboard as one text, with uPlot and its licence in it.
//
//   node scripts/dashboard-page.js [--check]

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = join(root, 'lib/observe/dashboard-page.ts');

/** @param {string} file */
const read = (file) => readFileSync(join(root, file), 'utf8').trim();

function licensed() {
  const { version, license } = JSON.parse(read('node_modules/uplot/package.json'));
  if (license !== 'MIT') throw new Error(`uplot has the licence ${license}`);
  return `/*! uPlot ${version}. ${read('node_modules/uplot/LICENSE').replaceAll('*/', '* /')} */`;
}

/** Returns the module that has the page. */
export function pageModule() {
  const parts = {
    STYLE: `${read('node_modules/uplot/dist/uPlot.min.css')}\n${read('pages/dashboard/page.css')}`,
    UPLOT: `${licensed()}\n${read('node_modules/uplot/dist/uPlot.iife.min.js')}\nglobalThis.uPlot = uPlot;`,
    SCRIPT: `(() => {\n${read('pages/dashboard/page.js')}\n})();`,
  };
  let page = read('pages/dashboard/page.html');
  for (const [name, text] of Object.entries(parts)) {
    if (/<\/(script|style)/i.test(text)) throw new Error(`${name} would end its element`);
    page = page.replace(`/* %${name}% */`, () => text);
  }
  return [
    '/** The page of the dashboard. Written by scripts/dashboard-page.js from pages/dashboard: do not edit. */',
    '// biome-ignore-all format: generated',
    '// biome-ignore-all lint/suspicious/noTemplateCurlyInString: of uPlot',
    // '//' would look like a comment.
    `export const page: string = ${JSON.stringify(`${page}\n`).replaceAll('//', '/\\x2f')};`,
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!process.argv.includes('--check')) writeFileSync(target, pageModule());
  else if (readFileSync(target, 'utf8') !== pageModule()) {
    console.error('lib/observe/dashboard-page.ts is not what scripts/dashboard-page.js writes: run it');
    process.exitCode = 1;
  }
}
