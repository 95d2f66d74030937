export {
  type AuditReport,
  type Refusal,
  type Refused,
  type Reserved,
  type ReserveOptions,
  type Resolution,
  refusalName,
  resolutionName,
  Stock,
  type StockHandle,
  type StockOptions,
} from './stock.js';
