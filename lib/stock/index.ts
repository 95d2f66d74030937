export {
  type AuditReport,
  type Refusal,
  type ReserveOptions,
  type Reserved,
  type Resolution,
  type Refused,
  refusalName,
  resolutionName,
  Stock,
  type StockHandle,
  type StockOptions,
} from './stock.js';
