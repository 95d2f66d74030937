// The entries that the programs of these tests put into a store: their numbers decide their lanes and bytes.

export const entryBytes = 64;
export const format = { schema: 7n, entryBytes, lanes: 2 };

function bytesOf(id, lane) {
  const bytes = new Uint8Array(entryBytes);
  const text = new TextEncoder().encode(`entry ${String(id).padStart(9, '0')} of lane ${lane} `);
  for (let i = 0; i < entryBytes; i++) bytes[i] = text[i % text.length];
  return bytes;
}

export function entryOf(id) {
  const lane = id % 2;
  return { id, lane, bytes: bytesOf(id, lane) };
}

export function isEntry(id, lane, bytes) {
  return lane === id % 2 && Buffer.compare(bytes, bytesOf(id, lane)) === 0;
}

/** Where the bytes of an entry begin in a file, wherever they are. */
export function placesOf(id, file) {
  const bytes = Buffer.from(bytesOf(id, id % 2));
  const places = [];
  for (let at = file.indexOf(bytes); at !== -1; at = file.indexOf(bytes, at + 1)) places.push(at);
  return places;
}
