import { countsIn, list, type RedisPort } from '../client/index.js';
import type { Plan } from './options.js';

/** The server has carried a batch out, but not enough replicas or disks have it. */
export class NotDurable extends Error {}

/**
 * Waits until as many replicas and disks have what the connection has written; '' if they do, otherwise how many do.
 * The connection must have written something: some servers ask nobody about a connection that has only read. So the
 * script writes for every batch, also for one that it has carried out before.
 */
export async function missing(
  port: RedisPort,
  { replicas, fsync, timeoutMs }: Plan['durability'],
): Promise<string> {
  if (fsync) {
    const had = list(await port.send(['WAITAOF', '1', String(replicas), String(timeoutMs)]));
    const [here, there] = countsIn(had, 2) as [number, number];
    return here < 1 || there < replicas
      ? `${here} of 1 disk here and ${there} of ${replicas} elsewhere have it`
      : '';
  }
  if (replicas === 0) return '';
  const [had] = countsIn([await port.send(['WAIT', String(replicas), String(timeoutMs)])], 1) as [number];
  return had < replicas ? `${had} of ${replicas} replicas have it` : '';
}
