export {
  aboutOneItem,
  type Refusal,
  type Refused,
  type Reserved,
  type Resolution,
  refusalName,
  resolutionName,
} from './answers.js';
export type { LostMovements, Movement } from './movements.js';
export type { StockItem, StockOptions } from './options.js';
export type { LedgerKey } from './staging.js';
export {
  type AuditReport,
  type CartLine,
  type CartOptions,
  type ReserveOptions,
  Stock,
  type StockHandle,
  summed,
} from './stock.js';
