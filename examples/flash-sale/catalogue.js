// @ts-check

/**
 * @typedef {object} Item
 * @property {number} sku
 * @property {string} name
 * @property {number} quantity  units on offer
 * @property {number} perUser   units one user may buy
 */

/**
 * The items on sale: 1,000 units of three items.
 * @type {readonly Item[]}
 */
export const CATALOGUE = [
  { sku: 1001, name: 'headphones', quantity: 500, perUser: 2 },
  { sku: 1002, name: 'camera', quantity: 300, perUser: 2 },
  { sku: 1003, name: 'console', quantity: 200, perUser: 2 },
];
