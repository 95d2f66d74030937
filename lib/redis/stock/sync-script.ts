import { quantityMax } from '../../stock/index.js';
import { Script } from '../client/index.js';

/**
 * What the scripts of a sale share.
 *
 * KEYS: see `SaleKeys`. `items` has, for each item, the numbers `<sku>|total`, `|free`, `|leased`, `|held` and `|sold`;
 * `|limit`, if users have one; `|closed`, if it is; and `|wanted`, the time at which an order found no unit that was
 * not leased. Always `free + leased + held + sold = total`.
 *
 * Where a script takes units from one place and puts them into another, it takes first: of a file of the server that
 * ends within the script, units are missing, which `audit()` reports, and none is there twice.
 */
export const saleLua = `
local items, members, answers, expiry, users, ids, holds, due, ended, moves, accepted = unpack(KEYS, 1, 11)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function add(sku, place, n)
  if n ~= 0 then redis.call('HINCRBY', items, sku .. '|' .. place, n) end
end

-- Arguments are read one after the other.
local at = 0
local function arg()
  at = at + 1
  return ARGV[at]
end
local function number() return tonumber(arg()) end
`;

/** How holds end. Needs \`remember\`, the ms for which what has ended is remembered, and \`moves_max\`. */
export const holdLua = `
local function moved(kind, sku, n, reservation, user)
  if moves_max == 0 then return end
  redis.call('XADD', moves, 'MAXLEN', '~', moves_max, '*',
    'kind', kind, 'sku', sku, 'quantity', n, 'reservation', reservation or '', 'user', user or '')
end

-- A reservation: { state, deadline, user, id, origin, { sku, n, ... }, member }.
local function load(reservation)
  local packed = redis.call('HGET', holds, reservation)
  return packed and cmsgpack.unpack(packed)
end

local function finish(reservation, hold, state)
  hold[1] = state
  redis.call('HSET', holds, reservation, cmsgpack.pack(hold))
  redis.call('ZREM', due, reservation)
  redis.call('ZADD', ended, now + remember, 'r' .. reservation)
  local user, lines = hold[3], hold[6]
  for i = 1, #lines, 2 do
    local sku, n = lines[i], lines[i + 1]
    add(sku, 'held', -n)
    if state == 'confirmed' then
      add(sku, 'sold', n)
    else
      if user ~= '' and redis.call('HEXISTS', users, sku .. '|' .. user) == 1 then
        if redis.call('HINCRBY', users, sku .. '|' .. user, -n) <= 0 then
          redis.call('HDEL', users, sku .. '|' .. user)
        end
      end
      add(sku, 'free', n)
    end
    moved(state, sku, n, reservation, user)
  end
end

local function expire_some(most)
  local late = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, most)
  for _, reservation in ipairs(late) do
    local hold = load(reservation)
    if hold and hold[1] == 'held' then finish(reservation, hold, 'expired')
    else redis.call('ZREM', due, reservation) end
  end
  return #late
end
`;

/**
 * Takes part in a sale: the only script that changes one. It returns units of members whose lease is over, ends holds
 * that are over, forgets what has ended long ago, takes units back that the member does not need, carries out a batch
 * of operations, and leases units to the member.
 *
 * A member numbers its batches. The server keeps the number and the answers of its last batch: when a reply is lost,
 * the member sends the batch again, and gets the answers of the first time. What a member returns and what it was
 * granted are sums since it registered, so that repetitions change nothing.
 *
 * ARGV: member; fence (0: register, or stay without leases); ms of the lease (0: none, and leave); number of the batch;
 * how many operations; ms to remember; most movements; most ids that are announced, and the last announcement that the
 * member has; how many items; for each item: sku, units wanted, units returned so far; then the operations.
 *
 * Answers: 'ok' or 'dup', the fence, the number of the last batch, a list for each item (granted so far, free, leased
 * by all, ms since units were wanted or -1, 1 if closed), a list for each operation, and the last of at most 1,000
 * announcements followed by their ids. Or 'fenced' and the number, if the lease is another's or nobody's by now; 'gap'
 * and the number, if the server does not have the batch before; 'gone', if there is no sale; 'format' and its version.
 */
export const sync: Script = new Script(`${saleLua}
local member, fence, ttl, seq, operations = arg(), number(), number(), number(), number()
local remember, moves_max, accepted_max, accepted_seen, asked = number(), number(), number(), arg(), number()
${holdLua}
local version = redis.call('HGET', items, 'version')
if not version then return { 'gone' } end
if version ~= '1' then return { 'format', version } end

-- Units of a member that has been silent for too long come back. Its number stays, for a batch that comes late.
local function take_back(name, state)
  for sku, lease in pairs(state.l) do
    local out = lease[1]
    lease[1] = 0
    add(sku, 'leased', -out)
    add(sku, 'free', out)
  end
  state.l, state.f = {}, 0
  redis.call('HSET', members, name, cjson.encode(state))
  redis.call('ZREM', expiry, name)
end

for _, name in ipairs(redis.call('ZRANGEBYSCORE', expiry, '-inf', now, 'LIMIT', 0, 8)) do
  local raw = redis.call('HGET', members, name)
  if raw then take_back(name, cjson.decode(raw)) else redis.call('ZREM', expiry, name) end
end
expire_some(64)

for _, what in ipairs(redis.call('ZRANGEBYSCORE', ended, '-inf', now, 'LIMIT', 0, 512)) do
  local kind, name = string.sub(what, 1, 1), string.sub(what, 2)
  if kind == 'r' then
    local hold = load(name)
    if hold and hold[4] ~= '' then redis.call('HDEL', ids, hold[4]) end
    redis.call('HDEL', holds, name)
  elseif kind == 'i' then
    redis.call('HDEL', ids, name)
  elseif not redis.call('ZSCORE', expiry, name) then
    redis.call('HDEL', members, name)
    redis.call('HDEL', answers, name)
  end
  redis.call('ZREM', ended, what)
end

local raw = redis.call('HGET', members, member)
local state = raw and cjson.decode(raw) or { f = 0, s = 0, l = {} }
if fence ~= 0 and state.f ~= fence then return { 'fenced', state.s } end
if operations > 0 and seq ~= state.s and seq ~= state.s + 1 then return { 'gap', state.s } end

if fence == 0 then
  -- A member that registers has nothing: an answer to an earlier registration was lost.
  if state.f ~= 0 then take_back(member, state) end
  if ttl > 0 then state.f = redis.call('HINCRBY', items, 'fence', 1) end
end
if ttl > 0 then redis.call('ZADD', expiry, now + ttl, member) end
redis.call('ZADD', ended, now + remember, 'm' .. member)

local wishes = {}
for i = 1, asked do
  local sku, want, returned = arg(), number(), number()
  local lease = state.l[sku] or { 0, 0, 0 } -- out, granted so far, returned so far
  state.l[sku] = lease
  local back = math.max(0, math.min(returned - lease[3], lease[1]))
  lease[3] = math.max(lease[3], returned)
  lease[1] = lease[1] - back
  add(sku, 'leased', -back)
  add(sku, 'free', back)
  wishes[i] = { sku, want, lease }
end

-- The operations. Each reads all of its arguments before it answers.
local op = {}

local function seen(code, reservation)
  local hold = load(reservation)
  if hold and hold[1] == 'held' and hold[2] <= now then finish(reservation, hold, 'expired') end
  if not hold then return { code, reservation, 'unknown', 0 } end
  return { code, reservation, hold[1], hold[1] == 'held' and hold[2] - now or 0, hold[5] }
end

-- The answer to an id that is known, nil for another one. \`own\`: the reservation of the order that asks.
local function recalled(id, digest, own)
  local known = redis.call('HGET', ids, id)
  if not known then return nil end
  local its, what = string.match(known, '^(%S+) (.+)$')
  if its ~= digest then return { 'mismatch' } end
  if what == '!' then return { 'failed' } end
  return seen(what == own and 'reserved' or 'duplicate', what)
end

-- Only recalls an id.
function op.i()
  local id, digest = arg(), arg()
  return recalled(id, digest, '') or { 'new' }
end

-- place: 'l', units of this lease are kept for the order; 'o', those of an earlier lease were; 'p', none.
function op.r()
  local place, origin, reservation, id, digest, user = arg(), arg(), arg(), arg(), arg(), arg()
  local hold_ms, stream, max_length, schema, order_id, body = number(), number(), number(), arg(), arg(), arg()
  local lines = {}
  for i = 1, 2 * number(), 2 do
    lines[i] = arg()
    lines[i + 1] = number()
  end
  if id ~= '' then
    local earlier = recalled(id, digest, reservation)
    if earlier then return earlier end
  end
  local present = load(reservation)
  if present then
    -- The member repeats what the server has not lost, or another member has made the same number.
    if id == '' and present[7] == member then return seen('reserved', reservation) end
    return { 'collision' }
  end

  local function refused(code, line)
    local final = code == 'user-limit' or code == 'item-closed'
    if code == 'sold-out' then
      final = tonumber(redis.call('HGET', items, lines[line] .. '|leased')) == 0
      if not final then redis.call('HSET', items, lines[line] .. '|wanted', now) end
    end
    -- An order that a process had promised units, and that is revoked, may be tried again.
    if final and id ~= '' and (place == 'p' or code ~= 'sold-out') then
      redis.call('ZADD', ended, now + remember, 'i' .. id)
      redis.call('HSET', ids, id, digest .. ' !')
    end
    return { code, (line + 1) / 2 - 1, final and 1 or 0 }
  end

  if stream > 0 and redis.call('XLEN', KEYS[11 + stream]) >= max_length then return { 'queue-full' } end
  local taken, limited = {}, {}
  for i = 1, #lines, 2 do
    local sku, n = lines[i], lines[i + 1]
    local item = redis.call('HMGET', items, sku .. '|free', sku .. '|limit', sku .. '|closed')
    if not item[1] then return refused('unknown-sku', i) end
    if item[2] and user == '' then return refused('needs-user', i) end
    if item[3] then return refused('item-closed', i) end
    if item[2] then
      local has = tonumber(redis.call('HGET', users, sku .. '|' .. user) or '0')
      if has + n > tonumber(item[2]) then return refused('user-limit', i) end
      limited[i] = true
    end
    local lease = place == 'l' and state.l[sku]
    taken[i] = lease and math.min(lease[1], n) or 0
    if tonumber(item[1]) < n - taken[i] then return refused('sold-out', i) end
  end

  for i = 1, #lines, 2 do
    local sku, n, own = lines[i], lines[i + 1], taken[i]
    if own > 0 then
      state.l[sku][1] = state.l[sku][1] - own
      add(sku, 'leased', -own)
    end
    add(sku, 'free', own - n)
  end
  redis.call('ZADD', due, now + hold_ms, reservation)
  redis.call('HSET', holds, reservation, 
    cmsgpack.pack({ 'held', now + hold_ms, user, id, origin, lines, member }))
  if id ~= '' then
    redis.call('HSET', ids, id, digest .. ' ' .. reservation)
    redis.call('XADD', accepted, 'MAXLEN', '~', accepted_max, '*', 'id', id)
  end
  for i = 1, #lines, 2 do
    local sku, n = lines[i], lines[i + 1]
    add(sku, 'held', n)
    if limited[i] then redis.call('HINCRBY', users, sku .. '|' .. user, n) end
    moved('reserved', sku, n, reservation, user)
  end
  if stream > 0 then
    redis.call('XADD', KEYS[11 + stream], '*', 'sluice', '1', 'schema', schema, 'id', order_id, 'order', body,
      'reservation', reservation)
  end
  return { 'reserved', reservation, 'held', hold_ms, origin }
end

-- Returns the hold if it is held; otherwise nil and what it has become.
local function held(reservation)
  local hold = load(reservation)
  if not hold then return nil, 'unknown' end
  if hold[1] == 'held' then
    if hold[2] > now then return hold end
    finish(reservation, hold, 'expired')
  end
  return nil, hold[1] == 'expired' and 'expired' or 'already-' .. hold[1]
end

-- confirm and cancel
local function resolve(state_of)
  local reservation = arg()
  local hold, other = held(reservation)
  if hold then finish(reservation, hold, state_of) end
  return { hold and state_of or other }
end
function op.c() return resolve('confirmed') end
function op.x() return resolve('cancelled') end

-- extend
function op.e()
  local reservation, ms = arg(), number()
  local hold, other = held(reservation)
  if not hold then return { other } end
  if now + ms > hold[2] then
    hold[2] = now + ms
    redis.call('ZADD', due, hold[2], reservation)
    redis.call('HSET', holds, reservation, cmsgpack.pack(hold))
  end
  return { 'extended' }
end

-- Numbers of an item, for an answer.
local function counts(sku, first)
  local names = { '|total', '|free', '|leased', '|held', '|sold' }
  local answer = { first }
  for i, name in ipairs(names) do answer[i + 1] = tonumber(redis.call('HGET', items, sku .. name)) end
  return answer
end
local function exists(sku) return redis.call('HEXISTS', items, sku .. '|total') == 1 end

-- restock
function op.a()
  local sku, n = arg(), number()
  if not exists(sku) then return { 'unknown-sku' } end
  if tonumber(redis.call('HGET', items, sku .. '|total')) + n > ${quantityMax} then return { 'too-many' } end
  add(sku, 'total', n)
  add(sku, 'free', n)
  moved('restocked', sku, n)
  return counts(sku, n)
end

-- withdraw
function op.w()
  local sku, n = arg(), number()
  if not exists(sku) then return { 'unknown-sku' } end
  local taken = math.min(n, tonumber(redis.call('HGET', items, sku .. '|free')))
  if taken > 0 then
    add(sku, 'free', -taken)
    add(sku, 'total', -taken)
    moved('withdrawn', sku, taken)
  end
  if taken < n then redis.call('HSET', items, sku .. '|wanted', now) end
  return counts(sku, taken)
end

-- close and reopen
function op.k()
  local sku = arg()
  if not exists(sku) then return { 'unknown-sku' } end
  if redis.call('HSETNX', items, sku .. '|closed', '1') == 1 then moved('closed', sku, 0) end
  return { 'done' }
end
function op.o()
  local sku = arg()
  if not exists(sku) then return { 'unknown-sku' } end
  if redis.call('HDEL', items, sku .. '|closed') == 1 then moved('reopened', sku, 0) end
  return { 'done' }
end

-- add an item
function op.n()
  local sku, quantity, limit = arg(), number(), number()
  if exists(sku) then return { 'sku-exists' } end
  if limit > 0 then redis.call('HSET', items, sku .. '|limit', limit) end
  redis.call('HSET', items, sku .. '|leased', 0, sku .. '|held', 0, sku .. '|sold', 0, sku .. '|free', quantity,
    sku .. '|total', quantity)
  moved('added', sku, quantity)
  return { 'added' }
end

-- expire
function op.t() return { expire_some(1000) } end

local status, results = 'ok', {}
if operations > 0 and seq == state.s then
  local kept = redis.call('HGET', answers, member)
  status, results = 'dup', kept and cmsgpack.unpack(kept) or {}
elseif operations > 0 then
  for i = 1, operations do results[i] = op[arg()]() end
  state.s = seq
  redis.call('HSET', answers, member, cmsgpack.pack(results))
end

-- A block is at most a part of half of what is left, one part for each member: blocks shrink towards single units.
local sharers = 2 * math.max(1, redis.call('ZCARD', expiry))
local grants = {}
for i, wish in ipairs(wishes) do
  local sku, want, lease = wish[1], wish[2], wish[3]
  local item = redis.call('HMGET', items, sku .. '|free', sku .. '|leased', sku .. '|wanted', sku .. '|closed')
  local free = tonumber(item[1] or '0')
  local grant = 0
  if ttl > 0 and item[1] and not item[4] then
    grant = math.min(want, free, math.max(1, math.floor(free / sharers)))
  end
  local wanted = item[3] and now - item[3] or -1
  if grant > 0 then
    add(sku, 'free', -grant)
    add(sku, 'leased', grant)
    lease[1], lease[2] = lease[1] + grant, lease[2] + grant
    if item[3] then redis.call('HDEL', items, sku .. '|wanted') end
  elseif want > 0 and free == 0 and tonumber(item[2] or '0') > lease[1] then
    redis.call('HSET', items, sku .. '|wanted', now)
  end
  if lease[1] == 0 and lease[2] == 0 then state.l[sku] = nil end
  grants[i] = { lease[2], free - grant, tonumber(item[2] or '0') + grant, wanted, item[4] and 1 or 0 }
end

if ttl == 0 and state.f ~= 0 then take_back(member, state) end
redis.call('HSET', members, member, cjson.encode(state))

local news = { accepted_seen }
for _, entry in ipairs(redis.call('XRANGE', accepted, '(' .. accepted_seen, '+', 'COUNT', 1000)) do
  news[1] = entry[1]
  news[#news + 1] = entry[2][2]
end
return { status, state.f, state.s, grants, results, news }
`);
