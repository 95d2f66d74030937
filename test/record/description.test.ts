import { describe, expect, it } from 'vitest';
import * as sluice from '../../dist/index.js';
import { describedRecord, describeRecord } from '../../dist/record/index.js';

const { record, json, oneOf, utf8, bytes, traceContext } = sluice;
const { u8, u16, u32, u53, u64, i8, i16, i32, i64, f32, f64, bool } = sluice;

describe('the description of a record', () => {
  it('survives structured clone, and makes the same type again', () => {
    const all = record({
      ...{ u8, u16, u32, u53, u64, i8, i16, i32, i64, f32, f64, bool },
      text: utf8(24),
      octets: bytes(7),
      trace: traceContext(),
      any: json({ maxBytes: 100 }),
      choice: oneOf('a', 'b"', 'c'),
    });
    const again = describedRecord(structuredClone(describeRecord(all)));
    expect(again.schema).toBe(all.schema);
    expect(again.bytes).toBe(all.bytes);
    expect(Object.keys(again.fields)).toEqual(Object.keys(all.fields));
  });
});
