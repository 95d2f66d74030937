import { type BareItem, parseList } from 'structured-headers';

/** Returns the items of a list, read by a parser of RFC 9651. */
export function items(text: string | null | undefined) {
  return parseList(text ?? '').map(([name, parameters]) => {
    const plain = [...parameters].map(([key, value]): [string, BareItem] => [
      key,
      value instanceof ArrayBuffer ? Buffer.from(value).toString('base64') : value,
    ]);
    return [name, Object.fromEntries(plain)];
  });
}
