/** Whether a rival can be measured here. */
import { missingPackage } from './missing-package.js';

/**
 * @param {string} file relative to bench/
 * @returns {Promise<string | undefined>} why not
 */
export async function whyNotInstalled(file) {
  try {
    await import(new URL(`../../${file}`, import.meta.url).href);
    return undefined;
  } catch (error) {
    const missing = missingPackage(error);
    if (missing === undefined) throw error;
    return missing;
  }
}
