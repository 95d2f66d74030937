// @ts-check

/**
 * @typedef {import('./order-schema.js').OrderRequest} OrderRequest
 */

/**
 * Bodies that are not an order, each with the field that the 400 must name.
 * @type {readonly { field: string, write: (order: OrderRequest) => string }[]}
 */
export const MALFORMED = [
  { field: 'body', write: () => '' },
  { field: 'body', write: () => 'null' },
  { field: 'body', write: (order) => JSON.stringify([order]) },
  { field: 'body', write: (order) => JSON.stringify(order).slice(0, -1) },
  ...['id', 'user', 'sku', 'quantity'].map((field) => changed(field, undefined)),
  changed('id', '17'),
  changed('id', 2 ** 53),
  changed('user', null),
  changed('user', 0),
  changed('sku', 'headphones'),
  changed('sku', [1001]),
  changed('quantity', '2'),
  changed('quantity', true),
  changed('quantity', -1),
  changed('quantity', 1.5),
  changed('quantity', 65_536),
];

/**
 * @param {string} field
 * @param {unknown} value  undefined leaves the field out
 */
function changed(field, value) {
  return {
    field,
    write: (/** @type {OrderRequest} */ order) => JSON.stringify({ ...order, [field]: value }),
  };
}
