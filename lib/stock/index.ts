export {
  AdmittedByGate,
  aboutOneItem,
  type ItemChanged,
  type Refusal,
  type Refused,
  type ReservationState,
  type Reserved,
  ReservedAnswer,
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
export {
  holdMsMax,
  type ItemChanges,
  quantityMax,
  type RestoreOptions,
  type StockChanges,
  type StockGroup,
  type StockItem,
  type StockOptions,
} from './options.js';
export type { BoughtUnits, ConfirmOptions, PartOptions } from './parts.js';
export {
  type CartOptions,
  type CheckedRequest,
  checkedCart,
  checkedReserve,
  type ReserveOptions,
} from './request.js';
export type { FindOptions, FoundLine, FoundReservation, ReservationFilter } from './reservations.js';
export {
  checkedKey,
  checkedReservation,
  checkedSku,
  isLedgerKey,
  type LedgerKey,
  textMax,
} from './staging.js';
export {
  attachStock,
  bootTimeMs,
  nativeStock,
  Stock,
  type StockHandle,
  sellUntil,
  stageLines,
  whyUsers,
} from './stock.js';
