/** The options of the clients in tests: those that the adapters ask for, and a short wait before a reconnection. */

const retryMs = (/** @type {number} */ tries) => Math.min(tries * 20, 100);

export const forIoRedis = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  retryStrategy: retryMs,
};

/** @param {number} port */
export function forNodeRedis(port) {
  return { socket: { host: '127.0.0.1', port, reconnectStrategy: retryMs }, disableOfflineQueue: true };
}
