import { allowed, Script } from '../client/index.js';

/**
 * The scripts of a store.
 *
 * KEYS of all: facts (a hash: version, schema, entryBytes, lanes, owner, seq, count), lease (the owner, until it is
 * silent for too long), deliveries (a hash: how often an entry was taken), and the stream of each lane. An entry of a
 * stream has its number as `<number>-0`, and one name, `e`.
 *
 * ARGV of all: the caller's token, and how long its lease is, in ms. The token is what fences: whatever a process sends
 * after another one has opened the store is refused, however late it comes.
 *
 * A script that a server without memory must run, so that entries go out again, writes something first that needs no
 * memory (PEXPIRE): the server then refuses nothing of it. `append` has its first XADD refused, or nothing.
 */
const beginning = `
local facts, lease, deliveries = KEYS[1], KEYS[2], KEYS[3]
local token, leaseMs = ARGV[1], ARGV[2]
local function refusal()
  local owner = redis.call('HGET', facts, 'owner')
  if not owner then return 'gone' end
  if owner ~= token then return 'taken' end
end
local function renew()
  if redis.call('PEXPIRE', lease, leaseMs) == 0 then redis.call('SET', lease, token, 'PX', leaseMs) end
end
local function lastOf(stream)
  if redis.call('EXISTS', stream) == 0 then return 0 end
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return tonumber(string.match(info[i + 1], '^%d+')) end
  end
end
`;

function storeScript(source: string): Script {
  return new Script(beginning + source);
}

/**
 * Opens the store, and makes it if there is none. ARGV: version, schema, entryBytes, lanes.
 *
 * Answers 'open', the number of lost entries, and for each lane the number of its entries and the greatest number of
 * one; 'held', the owner and how many ms its lease lasts; 'format', what is different, and its value; or 'foreign'.
 */
export const openStore: Script =
  storeScript(`${allowed('XADD', 'XDEL', 'HSET', 'HINCRBY', 'HDEL', 'SET', 'DEL', 'PEXPIRE')}
local holder = redis.call('GET', lease)
if holder and holder ~= token then return {'held', holder, redis.call('PTTL', lease)} end
local names = {'version', 'schema', 'entryBytes', 'lanes'}
local found = redis.call('HMGET', facts, unpack(names))
if found[1] then
  for i, name in ipairs(names) do
    if found[i] ~= ARGV[2 + i] then return {'format', name, found[i] or ''} end
  end
else
  for i = 4, #KEYS do
    if redis.call('XLEN', KEYS[i]) > 0 then return {'foreign'} end
  end
end
local answer, count = {'open', 0}, 0
for i = 4, #KEYS do
  local length = redis.call('XLEN', KEYS[i])
  count = count + length
  answer[#answer + 1] = length
  answer[#answer + 1] = string.format('%.0f', lastOf(KEYS[i]))
end
if found[1] then
  answer[2] = math.max(0, tonumber(redis.call('HGET', facts, 'count') or 0) - count)
  renew()
end
redis.call('HSET', facts, 'version', ARGV[3], 'schema', ARGV[4], 'entryBytes', ARGV[5], 'lanes', ARGV[6],
  'owner', token, 'seq', 0, 'count', count)
redis.call('SET', lease, token, 'PX', leaseMs)
return answer
`);

/**
 * Appends entries: all or none. ARGV: the number of this append; the number of the last entry that is known to be in
 * the store; maxRecords; for each entry: lane, number, checksum and bytes.
 *
 * Entries behind the last one that is known are of an append whose answer never came, and whose caller was told that it
 * failed: they go. Such an append that comes later than its successor is refused by its number.
 *
 * Answers 'done' (also if it was done before), 'full', 'foreign', 'late', or a refusal.
 */
export const appendEntries: Script = storeScript(`
local refused = refusal()
if refused then return refused end
local seq, mine = tonumber(redis.call('HGET', facts, 'seq')), tonumber(ARGV[3])
if seq == mine then return 'done' end
if seq > mine then return 'late' end
local after = string.format('%.0f-0', tonumber(ARGV[4]) + 1)
local count, left, last = (#ARGV - 5) / 3, {}, {}
local room = tonumber(ARGV[5]) - count
for i = 4, #KEYS do
  room = room - redis.call('XLEN', KEYS[i])
  left[i] = redis.call('XRANGE', KEYS[i], after, '+')
  room = room + #left[i]
  last[i] = lastOf(KEYS[i])
end
-- Entries are counted, not trimmed: MAXLEN would drop what nobody has taken.
if room < 0 then return 'full' end
for at = 6, #ARGV, 3 do
  local lane, id = 4 + tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  if id <= last[lane] then return 'foreign' end
  last[lane] = id
end
for at = 6, #ARGV, 3 do
  redis.call('XADD', KEYS[4 + tonumber(ARGV[at])], ARGV[at + 1] .. '-0', 'e', ARGV[at + 2])
end
for i = 4, #KEYS do
  for _, entry in ipairs(left[i]) do
    redis.call('XDEL', KEYS[i], entry[1])
    count = count - 1
  end
end
redis.call('HINCRBY', facts, 'count', count)
redis.call('HSET', facts, 'seq', ARGV[3])
renew()
return 'done'
`);

/**
 * Returns entries, and counts that. ARGV: the lane; the least number; the most entries.
 *
 * Answers 'taken', how many entries there were, and for each its number, how often it was taken, and checksum and bytes
 * ('' if it has another form). Entries without a number of their own are deleted: another program has added them.
 */
export const takeEntries: Script = storeScript(`
local refused = refusal()
if refused then return {refused} end
renew()
local stream = KEYS[4 + tonumber(ARGV[3])]
local entries = redis.call('XRANGE', stream, ARGV[4] .. '-0', '+', 'COUNT', ARGV[5])
local answer = {'taken', #entries}
for _, entry in ipairs(entries) do
  local id, fields = string.match(entry[1], '^(%d+)%-0$'), entry[2]
  if id then
    answer[#answer + 1] = id
    answer[#answer + 1] = redis.call('HINCRBY', deliveries, id, 1)
    answer[#answer + 1] = #fields == 2 and fields[1] == 'e' and fields[2] or ''
  else
    redis.call('HINCRBY', facts, 'count', -1)
    redis.call('XDEL', stream, entry[1])
  end
end
return answer
`);

/** Removes entries. ARGV: the lane; the numbers. Answers 'done', or a refusal. */
export const removeEntries: Script = storeScript(`
local refused = refusal()
if refused then return refused end
renew()
local stream, kept = KEYS[4 + tonumber(ARGV[3])], #ARGV - 3
-- First the count: of a file of the server that ends within this, entries come again, and none is taken for lost.
redis.call('HINCRBY', facts, 'count', -kept)
for at = 4, #ARGV do
  if redis.call('XDEL', stream, ARGV[at] .. '-0') == 1 then
    redis.call('HDEL', deliveries, ARGV[at])
    kept = kept - 1
  end
end
if kept > 0 then redis.call('HINCRBY', facts, 'count', kept) end
return 'done'
`);

/** Makes the lease last longer. Answers 'done', or a refusal. */
export const renewLease: Script = storeScript(`
local refused = refusal()
if refused then return refused end
renew()
return 'done'
`);

/** Gives the lease back. */
export const leaveStore: Script = storeScript(`
if redis.call('GET', lease) == token then redis.call('DEL', lease) end
return 'done'
`);
