export {
  aboutOneItem,
  type ItemChanged,
  type Refusal,
  type Refused,
  type ReservationState,
  type Reserved,
  type Resolution,
  type ReturnResolution,
  refusalName,
  resolutionName,
} from './answers.js';
export type { AuditReport } from './audit.js';
export { type CartLine, summed } from './cart.js';
export type { ChangeOptions, ChangeResolution } from './change.js';
export type { StockCounts, StockStats } from './figures.js';
export type { LostMovements, Movement } from './movements.js';
export type {
  ItemChanges,
  RestoreOptions,
  StockChanges,
  StockGroup,
  StockItem,
  StockOptions,
} from './options.js';
export type { BoughtUnits, ConfirmOptions, PartOptions } from './parts.js';
export type { FindOptions, FoundLine, FoundReservation, ReservationFilter } from './reservations.js';
export type { CartOptions, ReserveOptions } from './reserve.js';
export { type LedgerKey, textMax } from './staging.js';
export { attachStock, nativeStock, Stock, type StockHandle, stageLines } from './stock.js';
