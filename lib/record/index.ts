export type { Codec, RecordView } from './codec.js';
export { describedRecord, describeRecord, type RecordDescription } from './description.js';
export {
  bool,
  bytes,
  type Field,
  f32,
  f64,
  i8,
  i16,
  i32,
  i64,
  json,
  oneOf,
  traceContext,
  u8,
  u16,
  u32,
  u53,
  u64,
  utf8,
} from './fields.js';
export { codecOf, type Infer, RecordType, record } from './record.js';
export { traceparent } from './trace-codec.js';
