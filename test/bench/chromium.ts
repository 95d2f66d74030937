import { existsSync } from 'node:fs';

/**
 * The paths of an installed Chromium on Debian and other systems. `SLUICE_CHROMIUM` names one that is tried before
 * them.
 */
const places = [
  process.env['SLUICE_CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** The path of an installed Chromium; undefined if there is none. */
export function chromiumPath(): string | undefined {
  return places.find((path) => path !== undefined && existsSync(path));
}
