/**
 * Distinguishes a package that is not installed from one that is broken. npm 12 installs packages without running their
 * install scripts, so a native package may have everything but its binary.
 */

/**
 * @param {unknown} error of an import
 * @returns {string | undefined} why the package is not here, if it or its binary is not installed; undefined: the error
 *   has another cause
 */
export function missingPackage(error) {
  if (!(error instanceof Error)) return undefined;
  const { message } = error;
  const { code } = /** @type {NodeJS.ErrnoException} */ (error);
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
    const name = message.match(/Cannot find (?:package|module) '([^']+)'/)?.[1];
    if (name !== undefined && !/^[./]|^file:/.test(name)) return 'not installed';
  }
  // The messages of `bindings` (shared-memory-disruptor) and of cmake-ts (zeromq).
  if (/Could not locate the bindings file|Failed to load zeromq/i.test(message)) {
    return 'not installed: its binary was not built';
  }
  return undefined;
}
