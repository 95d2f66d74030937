/** Returns a response's current value of a header field, several lines joined by commas; undefined if it has none. */
export type Present = (field: string) => string | undefined;

/** Reads the fields of a response of node:http, or of another object with its `getHeader`. */
export function presentIn(response: { getHeader(name: string): unknown }): Present {
  return (field) => {
    const value = response.getHeader(field);
    if (value === undefined || value === null) return undefined;
    return Array.isArray(value) ? value.join(', ') : String(value);
  };
}

/** An item of a list of structured fields (RFC 9651): its value, and its whole text with the parameters. */
interface ListItem {
  readonly value: string;
  readonly text: string;
}

// None of these patterns can match a text in two ways, so one pass, without backtracking, finds that a value is not a
// list.
const string = String.raw`"(?:[ !#-\[\]-~]|\\["\\])*"`;
const token = String.raw`[A-Za-z*][!#-'*+./:^\x60|~\w-]*`;
const bareItem = String.raw`(?:-?\d{1,15}(?:\.\d{1,3})?|${string}|:[A-Za-z0-9+/=]*:|\?[01]|${token})`;
const parameters = `(?:; *[a-z*][a-z0-9_.*-]*(?:=${bareItem})?)*`;
const separator = /[ \t]*,[ \t]*/y;

/** An item that is a String: draft-8 and later. */
export const stringItem: RegExp = new RegExp(`(${string})${parameters}`, 'y');
/** An item that is a whole number: a quota policy of draft-6 or draft-7. */
export const quotaItem: RegExp = new RegExp(String.raw`(\d{1,15})${parameters}`, 'y');

/**
 * Returns the items of a list whose items are all of one kind, or undefined if `field` is not such a list. The value of
 * a String is its content without quotes and escapes.
 */
export function parsedList(field: string | undefined, kind: RegExp): ListItem[] | undefined {
  const text = field?.trim() ?? '';
  if (text === '') return [];
  const items: ListItem[] = [];
  for (let at = 0; ; ) {
    const item = matchedAt(kind, text, at);
    if (item === null) return undefined;
    items.push({ value: unquoted(item[1] ?? ''), text: item[0] });
    at += item[0].length;
    if (at === text.length) return items;
    const comma = matchedAt(separator, text, at);
    if (comma === null) return undefined;
    at += comma[0].length;
  }
}

function matchedAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function unquoted(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replace(/\\(["\\])/g, '$1') : value;
}
