import type { RedisPort } from 'sluice/redis';

/** The keys of a sale, and what each has, as the server writes it into its file. */
export type SavedSale = ReadonlyArray<string | Buffer>;

const dump = `
local all = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  all[#all + 1], all[#all + 2] = key, redis.call('DUMP', key)
end
return all`;

/** Returns what a server has of a sale of which all keys begin with `prefix:{sale}:`. */
export async function saveSale(server: RedisPort, prefix: string, sale: string): Promise<SavedSale> {
  return (await server.send(['EVAL', dump, '0', `${prefix}:{${sale}}:*`], { bytes: true })) as SavedSale;
}

export async function removeSale(server: RedisPort, prefix: string, sale: string): Promise<void> {
  const keys = (await server.send(['KEYS', `${prefix}:{${sale}}:*`])) as string[];
  if (keys.length > 0) await server.send(['DEL', ...keys]);
}

/** Makes a server have what it had of the sale, as after a restart or a failover that has lost the rest. */
export async function restoreSale(
  server: RedisPort,
  prefix: string,
  sale: string,
  saved: SavedSale,
): Promise<void> {
  await removeSale(server, prefix, sale);
  for (let i = 0; i < saved.length; i += 2) {
    await server.send(['RESTORE', saved[i] as string, '0', saved[i + 1] as Buffer]);
  }
}
