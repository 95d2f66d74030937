import { Script } from '../client/index.js';
import { operationsLua } from './operations-lua.js';
import { ledgerLua, saleLua } from './sale-lua.js';

/**
 * Takes part in a sale. Apart from `openSale` it is the only script that changes one. It returns units of members whose
 * lease is over, ends holds that are over, forgets what has ended long ago, takes units back that the member does not
 * need, carries out a batch of operations, and leases units to the member.
 *
 * A member numbers its batches. The server keeps the number and the answers of its last batch: when a reply is lost,
 * the member sends the batch again, and gets the answers of the first time. What a member returns and what it was
 * granted are sums since it registered, so that repetitions change nothing. A member whose server has lost batches
 * uses their numbers again, in another count: a call of the earlier count that comes late changes nothing.
 *
 * ARGV: member; fence (0: register, or stay without leases); ms of the lease (0: none, and leave); count of batches;
 * number of the batch in it; how many operations; ms to remember; most movements; most ids that are announced, and the
 * last announcement that the member has; how many items; for each item: sku, units wanted, units returned so far; the
 * operations as JSON; and the bodies of orders.
 *
 * Answers: 'ok' or 'dup', the fence, the number of the last batch, a list for each item (granted so far, free, leased
 * by all, ms since units were wanted or -1, 1 if closed), the answers to the operations as JSON, and the last of the
 * next announcements, followed by the ids of each as JSON. Or 'fenced' and the number, if another registration has the
 * lease, or it has ended; 'gap' and the number, if the server does not have the batch before, or has a later count;
 * 'gone', if there is no sale; 'format' and its version.
 */
export const sync: Script = new Script(`${saleLua}
local member, fence, ttl, count, seq, operations = arg(), number(), number(), number(), number(), number()
local remember, moves_max, accepted_max, accepted_seen, asked = number(), number(), number(), arg(), number()
${ledgerLua}
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

local past = redis.call('ZRANGEBYSCORE', ended, '-inf', now, 'LIMIT', 0, 512)
for _, what in ipairs(past) do
  local kind, name = string.sub(what, 1, 1), string.sub(what, 2)
  if kind == 'r' then
    local hold = load(name)
    if hold and hold[4] ~= '' then id_of.put(hold[4], false) end
    loaded[name] = false
    packed.put(name, false)
  elseif kind == 'i' then
    id_of.put(name, false)
  elseif not redis.call('ZSCORE', expiry, name) then
    redis.call('HDEL', members, name)
    redis.call('HDEL', answers, name)
  end
end
call(past, 'ZREM', ended)

local raw = redis.call('HGET', members, member)
local state = raw and cjson.decode(raw) or { f = 0, s = 0, l = {} }
if fence ~= 0 and state.f ~= fence then
  write()
  return { 'fenced', state.s }
end
local counted = state.c or 0
local is_next = count >= counted and seq == state.s + 1
local is_known = count == counted and seq == state.s
if operations > 0 and not is_next and not is_known then
  write()
  return { 'gap', state.s }
end

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
${operationsLua}
local batch = arg() -- then the bodies of orders
local status, results = 'ok', '[]'
if operations > 0 and is_known then
  local kept = redis.call('HGET', answers, member)
  status, results = 'dup', kept or '[]'
elseif operations > 0 then
  results = carry_out(cjson.decode(batch))
  state.s, state.c = seq, count
end

-- A block is at most a part of half of what is left, one part for each member: blocks shrink towards single units.
local sharers = 2 * math.max(1, redis.call('ZCARD', expiry))
local grants = {}
for i, wish in ipairs(wishes) do
  local sku, want, lease = wish[1], wish[2], wish[3]
  local one = item(sku)
  local wanted = redis.call('HGET', items, sku .. '|wanted')
  local grant = 0
  if ttl > 0 and one and not one.closed then
    grant = math.min(want, one.free, math.max(1, math.floor(one.free / sharers)))
  end
  if grant > 0 then
    add(sku, 'free', -grant)
    add(sku, 'leased', grant)
    lease[1], lease[2] = lease[1] + grant, lease[2] + grant
    if wanted then redis.call('HDEL', items, sku .. '|wanted') end
  elseif one and want > 0 and one.free == 0 and one.leased > lease[1] then
    redis.call('HSET', items, sku .. '|wanted', now)
  end
  if lease[1] == 0 and lease[2] == 0 then state.l[sku] = nil end
  grants[i] = { lease[2], one and one.free or 0, one and one.leased or 0, wanted and now - wanted or -1,
    one and one.closed and 1 or 0 }
end

if ttl == 0 and state.f ~= 0 then take_back(member, state) end
write()
if status == 'ok' and operations > 0 then redis.call('HSET', answers, member, results) end
redis.call('HSET', members, member, cjson.encode(state))

local news = { accepted_seen }
for _, entry in ipairs(redis.call('XRANGE', accepted, '(' .. accepted_seen, '+', 'COUNT', 20)) do
  news[1] = entry[1]
  news[#news + 1] = entry[2][2]
end
return { status, state.f, state.s, grants, results, news }
`);
