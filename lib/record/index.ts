export { bool, bytes, type Field, f32, f64, i8, i16, i32, i64, oneOf, u8, u16, u32, u53, u64, utf8 } from './fields.js';
export { type Codec, type Infer, RecordType, type RecordView, record, type ValuesOf } from './record.js';
