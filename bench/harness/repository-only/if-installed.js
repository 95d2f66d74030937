/** Loads a rival from npm that may not be installed here. */
import { missingPackage } from './missing-package.js';

/**
 * @template Module
 * @typedef {{ module: Module, missing?: never } | { module?: never, missing: string }} Found `missing`: why it is not
 *   here
 */

/**
 * @template Module
 * @param {() => Promise<Module>} load its import
 * @returns {Promise<Found<Module>>}
 * @throws the import's error, unless its cause is a package that is not installed
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
