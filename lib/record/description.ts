/** A record's type as data that another thread can make it from again. */
import {
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
  lengthBytes,
  oneOf,
  u8,
  u16,
  u32,
  u53,
  u64,
  utf8,
} from './fields.js';
import { type RecordType, record } from './record.js';

/** A field as data: survives structured clone. */
interface FieldDescription {
  readonly name: string;
  readonly kind: Field<unknown>['kind'];
  /** The room of a text, of bytes or of JSON. */
  readonly max: number;
  readonly choices: readonly string[];
}
/** A record's type as data: survives structured clone. */
export type RecordDescription = readonly FieldDescription[];

const plain = { u8, u16, u32, u53, u64, i8, i16, i32, i64, f32, f64, bool };
const withRoom: Readonly<Record<'utf8' | 'bytes' | 'json', (max: number) => Field<unknown>>> = {
  utf8,
  bytes,
  json: (maxBytes) => json({ maxBytes }),
};

export function describeRecord(type: RecordType<unknown>): RecordDescription {
  return Object.entries(type.fields).map(([name, field]) => ({
    name,
    kind: field.kind,
    max: field.bytes - lengthBytes,
    choices: field.choices ?? [],
  }));
}

/** Makes the type that was described: its schema is that of the original. */
export function describedRecord(description: RecordDescription): RecordType<Record<string, unknown>> {
  return record(Object.fromEntries(description.map((field) => [field.name, fieldOf(field)])));
}

function fieldOf({ kind, max, choices }: FieldDescription): Field<unknown> {
  if (kind === 'oneOf') return oneOf(...choices);
  if (kind === 'utf8' || kind === 'bytes' || kind === 'json') return withRoom[kind](max);
  return plain[kind];
}
