import { type Field, fieldOf, lengthBytes } from './fields.js';
import { type RecordType, record } from './record.js';

/** A field as data: survives structured clone. */
interface FieldDescription {
  readonly name: string;
  readonly kind: Field<unknown>['kind'];
  /** The room of a text, of bytes or of JSON. */
  readonly max: number;
  readonly choices: readonly string[];
}
/** A record's type as data, from which another thread makes the type again: survives structured clone. */
export type RecordDescription = readonly FieldDescription[];

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
  const fields = description.map(({ name, kind, max, choices }) => [name, fieldOf(kind, max, choices)]);
  return record(Object.fromEntries(fields));
}
