/** Loads a rival from npm that may not be installed here. */
import { missingPackage } from './missing-package.js';

/**
 * @template Module
 * @typedef {{ module: Module, missing?: never } | { module?: never, missing: string }} Found `missing`: why the module
 *   is not here
 */

/**
 * @template Module
 * @param {() => Promise<Module>} load imports the module
 * @returns {Promise<Found<Module>>}
 * @throws what `load` throws, unless the cause is a package that is not installed
 */
export async function ifInstalled(load) {
  try {
    return { module: await load() };
  } catch (error) {
    const missing = missingPackage(error);
    if (missing === undefined) throw error;
    return { missing };
  }
}
