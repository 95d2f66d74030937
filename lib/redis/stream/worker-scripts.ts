import { allowed, Script } from '../client/index.js';

/**
 * The scripts of workers. Where one changes several keys, its order is such that half of it, which a damaged file of
 * the server may have, loses nothing: at worst an order is handled twice.
 */

/** Functions that several scripts use. KEYS: the stream, the retry set of the group, the stream of dead letters. */
const common = `
local stream, retry, dead = KEYS[1], KEYS[2], KEYS[3]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

-- Whether no other group reads the stream: then an entry is deleted as soon as it is done.
local function is_sole(group)
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  if groups.err then return false end
  for _, g in ipairs(groups) do
    for i = 1, #g, 2 do
      if g[i] == 'name' and g[i + 1] ~= group then return false end
    end
  end
  return true
end

-- Ends an entry. Deleted first: a group that still waits for a deleted entry forgets it by itself.
local function finish(group, id, sole)
  if sole then redis.call('XDEL', stream, id) end
  redis.call('ZREM', retry, id)
  return redis.call('XACK', stream, group, id)
end

-- The entry of the group's list of pending entries: { id, consumer, idle ms, deliveries }, or nil.
local function pending(group, id)
  return redis.call('XPENDING', stream, group, id, id, 1)[1]
end

-- Moves an entry to the dead letters, and appends its reservation to \`buried\`, or '' if it has none. Returns false if
-- the dead letters are full: then the entry is looked at again in a minute.
local function bury(group, id, sole, max_dead, notes, buried)
  local entry = redis.call('XRANGE', stream, id, id)[1]
  local reservation = ''
  if entry then
    if redis.call('XLEN', dead) >= max_dead then
      redis.call('ZADD', retry, now + 60000, id)
      return false
    end
    local f = entry[2]
    if #f == 10 and f[9] == 'reservation' then reservation = f[10] end
    -- Lua cannot pass any number of arguments.
    if #f > 128 then f = { 'packed', cmsgpack.pack(f) } end
    for _, note in ipairs(notes) do f[#f + 1] = note end
    redis.call('XADD', dead, '*', unpack(f))
  end
  finish(group, id, sole)
  buried[#buried + 1] = reservation
  return true
end
`;

/** The commands of the scripts of workers that may come after a write. */
const commands = [
  ...(['XACK', 'XADD', 'XCLAIM', 'XDEL', 'XLEN', 'XPENDING', 'XRANGE'] as const),
  ...(['ZADD', 'ZRANGE', 'ZRANGEBYSCORE', 'ZREM', 'ZSCORE'] as const),
];

/**
 * Makes the group, from the given id on. Answers 1 if it made it, 0 if it is there, -1 if other groups are there and
 * this one must be made again: the stream may have orders that it has handled. It is the first script of each worker,
 * so it asks what the others may do.
 *
 * KEYS: the stream. ARGV: group, id, '1' if the group was there before.
 */
export const makeGroup: Script = new Script(`${allowed(...commands)}
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if not groups.err then
  for _, g in ipairs(groups) do
    for i = 1, #g, 2 do
      if g[i] == 'name' and g[i + 1] == ARGV[1] then return 0 end
    end
  end
  if ARGV[3] == '1' and #groups > 0 then return -1 end
end
redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[2], 'MKSTREAM')
return 1
`);

/**
 * Settles entries. Answers: how many were pending and are done; how many wait for room among the dead letters; for each
 * that is a dead letter now its reservation, or ''.
 *
 * ARGV: group, maxDead, how many are done, their ids; then for each failed one: id, consumer, ms until its next try
 * (-1: it is a dead letter), deliveries, reason, error.
 */
export const settle: Script = new Script(`${common}
local group, max_dead, done = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local sole = is_sole(group)
local acknowledged, buried, full = 0, {}, 0
for i = 4, 3 + done do acknowledged = acknowledged + finish(group, ARGV[i], sole) end
for i = 4 + done, #ARGV, 6 do
  local id, consumer, delay = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local p = pending(group, id)
  -- Another consumer may have claimed the entry meanwhile: then that consumer decides it.
  if p and p[2] == consumer then
    if delay >= 0 then
      redis.call('ZADD', retry, now + delay, id)
    else
      local notes = { 'sluice:id', id, 'sluice:group', group, 'sluice:consumer', consumer,
        'sluice:deliveries', ARGV[i + 3], 'sluice:reason', ARGV[i + 4], 'sluice:error', ARGV[i + 5] }
      if not bury(group, id, sole, max_dead, notes, buried) then full = full + 1 end
    end
  end
end
return { acknowledged, full, buried }
`);

/**
 * Hands out entries that are due for their next try, and entries that their consumer has not renewed for long.
 * Each delivery is counted; an entry that was delivered too often becomes a dead letter. Of the entries of silent
 * consumers it hands out at most \`suspects\`: one of them may have ended its process.
 *
 * ARGV: group, consumer, idle ms, maxDeliveries, count, suspects, maxDead, cursor.
 * Answers: the next cursor; ms until the next entry is due (-1: none waits); for each entry that is a dead letter now
 * its reservation, or ''; how many wait for room there; the entries, each { id, fields, deliveries, whether it is a
 * suspect }.
 */
export const patrol: Script = new Script(`${common}
local group, me, idle, max = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local count, suspects, max_dead, cursor = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local sole = is_sole(group)
local out, buried, full = {}, {}, 0

local function take(p, suspect)
  local id, consumer, deliveries = p[1], p[2], p[4]
  if deliveries >= max then
    local notes = { 'sluice:id', id, 'sluice:group', group, 'sluice:consumer', consumer,
      'sluice:deliveries', deliveries, 'sluice:reason', 'deliveries', 'sluice:error', '' }
    if not bury(group, id, sole, max_dead, notes, buried) then full = full + 1 end
    return false
  end
  redis.call('ZREM', retry, id)
  local c = redis.call('XCLAIM', stream, group, me, 0, id, 'RETRYCOUNT', deliveries + 1)
  if c[1] then
    out[#out + 1] = { id, c[1][2], deliveries + 1, suspect }
    return true
  end
  redis.call('XACK', stream, group, id) -- deleted: before Redis 7 it stays pending
  return false
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', retry, '-inf', now, 'LIMIT', 0, count)) do
  local p = pending(group, id)
  if p then take(p, 0) else redis.call('ZREM', retry, id) end
end

-- Ten pages at most: entries that wait for their next try may stand before those of silent consumers.
for _ = 1, 10 do
  if suspects <= 0 or #out >= count then break end
  local page = redis.call('XPENDING', stream, group, 'IDLE', idle, cursor, '+', 100)
  for _, p in ipairs(page) do
    if suspects <= 0 or #out >= count then break end
    cursor = '(' .. p[1]
    if not redis.call('ZSCORE', retry, p[1]) and take(p, 1) then suspects = suspects - 1 end
  end
  if #page < 100 then
    -- To the end of it, and from the beginning again next time, unless something is left of the page.
    if suspects > 0 and #out < count then cursor = '-' end
    break
  end
end

local next = redis.call('ZRANGE', retry, 0, 0, 'WITHSCORES')[2]
return { cursor, next and math.max(0, next - now) or -1, buried, full, out }
`);

/**
 * Renews entries that are in hand, so that no patrol claims them. Answers the ids of those that another
 * consumer has by now, or that are done.
 *
 * KEYS: the stream. ARGV: group, then for each: id, consumer.
 */
export const renew: Script = new Script(`
local lost = {}
for i = 2, #ARGV, 2 do
  local p = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)[1]
  if p and p[2] == ARGV[i + 1] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], p[2], 0, p[1], 'JUSTID')
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
`);

/**
 * Takes a consumer out of its group. Up to 1,000 entries that it still has go to the consumer \`~left\`, where the next
 * patrol finds them; those that no handler has got do not count as delivered. Answers how many are left to move.
 *
 * KEYS: the stream, the retry set. ARGV: group, consumer, '1' if handlers may have got all of them, the ids of those
 * that they have got.
 */
export const retire: Script = new Script(`
local stream, retry, group, me = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local got = {}
for i = 4, #ARGV do got[ARGV[i]] = true end
for _, p in ipairs(redis.call('XPENDING', stream, group, '-', '+', 1000, me)) do
  local deliveries = p[4]
  if ARGV[3] ~= '1' and not got[p[1]] and not redis.call('ZSCORE', retry, p[1]) then deliveries = math.max(0, deliveries - 1) end
  redis.call('XCLAIM', stream, group, '~left', 0, p[1], 'IDLE', 86400000, 'RETRYCOUNT', deliveries, 'JUSTID')
end
local left = #redis.call('XPENDING', stream, group, '-', '+', 1, me)
if left == 0 then redis.call('XGROUP', 'DELCONSUMER', stream, group, me) end
return left
`);

/**
 * Forgets consumers that have no entry and have been idle for long, and deletes up to 1,000 entries that every group
 * has acknowledged, where there are several groups. Answers how many consumers and entries.
 *
 * KEYS: the stream. ARGV: group, idle ms.
 */
export const tidy: Script = new Script(`
local stream, forgotten = KEYS[1], 0
for _, c in ipairs(redis.call('XINFO', 'CONSUMERS', stream, ARGV[1])) do
  local of = {}
  for i = 1, #c, 2 do of[c[i]] = c[i + 1] end
  if of['pending'] == 0 and of['idle'] >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', stream, ARGV[1], of['name'])
    forgotten = forgotten + 1
  end
end

local function parts(id)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(n)
end
local function before(a, b)
  local am, an = parts(a)
  local bm, bn = parts(b)
  return am < bm or (am == bm and an < bn)
end
local groups = redis.call('XINFO', 'GROUPS', stream)
if #groups < 2 then return { forgotten, 0 } end
-- The first entry that a group has not done: its first pending one, or what follows the last one that it has read.
local first
for _, g in ipairs(groups) do
  local of = {}
  for i = 1, #g, 2 do of[g[i]] = g[i + 1] end
  local its = redis.call('XPENDING', stream, of['name'])[2]
  if not its then
    local entry = redis.call('XRANGE', stream, '(' .. of['last-delivered-id'], '+', 'COUNT', 1)[1]
    its = entry and entry[1]
  end
  if its and (not first or before(its, first)) then first = its end
end
local old = redis.call('XRANGE', stream, '-', first and '(' .. first or '+', 'COUNT', 1000)
-- One by one: an entry that comes now is not among them.
for _, entry in ipairs(old) do redis.call('XDEL', stream, entry[1]) end
return { forgotten, #old }
`);

/**
 * Counts. Answers: entries, pending, unread, whether unread is exact, waiting for their next try, dead letters. The
 * \`lag\` that the server counts is unknown once an entry that was not read yet has been deleted.
 *
 * KEYS: the stream, the retry set, the dead letters. ARGV: group.
 */
export const count: Script = new Script(`${common}
local length = redis.call('XLEN', stream)
local waiting, letters = redis.call('ZCARD', retry), redis.call('XLEN', dead)
local groups = redis.pcall('XINFO', 'GROUPS', stream)
if groups.err then return { length, 0, length, 1, waiting, letters } end
for _, g in ipairs(groups) do
  local of = {}
  for i = 1, #g, 2 do of[g[i]] = g[i + 1] end
  if of['name'] == ARGV[1] then
    if #groups == 1 then return { length, of['pending'], math.max(0, length - of['pending']), 1, waiting, letters } end
    if of['lag'] then return { length, of['pending'], of['lag'], 1, waiting, letters } end
    local unread = #redis.call('XRANGE', stream, '(' .. of['last-delivered-id'], '+', 'COUNT', 1000)
    return { length, of['pending'], unread, unread < 1000 and 1 or 0, waiting, letters }
  end
end
return { length, 0, length, 1, waiting, letters }
`);

/**
 * Takes or keeps the name of a consumer for a process. Answers 1, or 0 if another process has it.
 *
 * KEYS: the lease. ARGV: the process's token, ms.
 */
export const lease: Script = new Script(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`);

/** Gives the name back, if the process still has it. KEYS: the lease. ARGV: the token. */
export const endLease: Script = new Script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`);
