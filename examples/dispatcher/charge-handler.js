// Every worker imports this module.

/** @param {{ readonly id: number }} order */
export default async function charge({ id }) {
  if (id === 13) throw new Error(`the bank refuses card ${id}`); // tried again, then a dead letter
}
