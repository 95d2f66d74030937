/** An order as a line of text, for peers that carry text. */

/** @typedef {import('../traffic.js').Order} Order */

/** @param {Order} order */
export function textOf(order) {
  const { orderId, user, price, discount, placedAt, expiresAt, sku, quantity, producer } = order;
  return `${orderId},${user},${price},${discount},${placedAt},${expiresAt},${sku},${quantity},${producer}\n`;
}

/**
 * @param {string} line without its end
 * @returns {Order}
 */
export function orderOf(line) {
  const [orderId, user, price, discount, placedAt, expiresAt, sku, quantity, producer] = line.split(',');
  return {
    orderId: Number(orderId),
    user: Number(user),
    price: Number(price),
    discount: Number(discount),
    placedAt: Number(placedAt),
    expiresAt: Number(expiresAt),
    sku: Number(sku),
    quantity: Number(quantity),
    producer: Number(producer),
  };
}
