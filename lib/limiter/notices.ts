import { type Channel, channel } from 'node:diagnostics_channel';

/**
 * Publishes each request that `allow`, `tryAcquire` or `acquire` has refused: `{ limiter, key, cost, decision }`. The
 * decision of `allow` is undefined.
 */
export const refusals: Channel = channel('sluice:limiter:refused');
