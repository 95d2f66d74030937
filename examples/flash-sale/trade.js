// @ts-check
import { LoadThreads } from './load-threads.js';
import { showProgress } from './progress.js';

/**
 * @typedef {object} OpenSale
 * @property {string[]} urls  of one server, or of several that sell one stock
 * @property {import('./options.js').Options} options
 * @property {import('./interruption.js').Interruption} interruption
 * @property {Promise<never>} failure rejects when the sale cannot go on
 * @property {() => number} answered
 * @property {() => number} admitted
 */

/**
 * Runs the sale between opening and closing: the built-in load, or requests from outside, or first the load and then
 * requests from outside.
 * @param {OpenSale} sale
 * @returns {Promise<import('./load-threads.js').Findings | undefined>} undefined without built-in load
 */
export async function trade(sale) {
  const { options, interruption, failure } = sale;
  const out = options.json ? process.stderr : process.stdout;
  const findings = options.load ? await sendLoad(sale, out) : undefined;
  if (options.serve && !interruption.happened) {
    out.write(invitation(/** @type {string} */ (sale.urls[0])));
    await Promise.race([interruption.wait(), failure]);
  }
  return findings;
}

/**
 * @param {OpenSale} sale
 * @param {NodeJS.WriteStream} out
 */
async function sendLoad({ urls, options, interruption, failure, answered, admitted }, out) {
  const threads = new LoadThreads(urls, options);
  interruption.wait().then(() => threads.stop());
  const endProgress = showProgress(out, () => ({
    answered: answered(),
    total: options.requests,
    admitted: admitted(),
  }));
  try {
    return await Promise.race([threads.result(), failure]);
  } finally {
    endProgress();
    await threads.terminate();
  }
}

/** @param {string} url */
function invitation(url) {
  const order = JSON.stringify({ id: 1, user: 1, sku: 1001, quantity: 1 });
  return `The sale is open at ${url} until SIGINT or SIGTERM. Order with

  curl -i ${url}/orders -H 'content-type: application/json' -d '${order}'

`;
}
