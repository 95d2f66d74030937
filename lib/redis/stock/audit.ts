import { Options, SluiceError } from '../../input/index.js';
import { countsIn, list, noReply, type Reader, redisError, text } from '../client/index.js';
import type { SaleKeys } from './keys.js';
import { auditSale } from './scripts.js';

/** The counts of an audit that found no error. */
export interface RedisStockAudit {
  /** Items looked at. */
  readonly items: number;
  /** Reservations held at the moment of the audit. */
  readonly held: number;
}

const shownMax = 5;

/** See `RedisStock.audit`. */
export async function audited(keys: SaleKeys, reader: Reader, options: unknown): Promise<RedisStockAudit> {
  const where = 'RedisStock.audit';
  const max = new Options(where, options, ['maxReservations']).integer(
    'maxReservations',
    1,
    1_000_000,
    100_000,
  );
  let reply: readonly unknown[];
  let counts: readonly number[] = [];
  try {
    reply = await reader.read((port) => auditSale.run(port, keys.all, [max]), list);
    const said = text(reply[0]);
    if (said === 'books') counts = countsIn(reply.slice(1, 3), 2);
    else if (said === 'many') counts = countsIn(reply.slice(1, 2), 1);
    else throw said === 'gone' ? new Error('the sale is gone') : noReply('what it has found');
  } catch (error) {
    throw redisError(where, error);
  }
  if (text(reply[0]) === 'many') {
    throw new SluiceError(
      'ERR_SLUICE_AUDIT',
      `${where}: ${counts[0]} reservations, maxReservations is ${max}`,
    );
  }
  const wrong = reply.slice(3).map(text);
  if (wrong.length > 0) {
    const more = wrong.length > shownMax ? `; and ${wrong.length - shownMax} more` : '';
    throw new SluiceError('ERR_SLUICE_AUDIT', `${where}: ${wrong.slice(0, shownMax).join('; ')}${more}`);
  }
  const [items, held] = counts as [number, number];
  return { items, held };
}
