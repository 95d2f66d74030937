import { quantityMax } from '../../stock/index.js';

/** The operations of a batch, for the script `sync`. Defines `carry_out(batch)`, which returns
 * their answers as JSON. An operation is a list: its name, then its values. */
export const operationsLua: string = `
-- The state of a reservation, for the answer to an order that has it.
local function seen(code, reservation)
  local hold = load(reservation)
  if hold and hold[1] == 'held' and hold[2] <= now then finish(reservation, hold, 'expired') end
  if not hold then return { code, reservation, 'unknown', 0 } end
  return { code, reservation, hold[1], hold[1] == 'held' and hold[2] - now or 0, hold[5] }
end

local lengths = {}
local function has_room(key, most)
  lengths[key] = lengths[key] or redis.call('XLEN', key)
  return lengths[key] < most
end

-- An order: 'r', place, origin, reservation, id, digest, user, ms of its hold, items and quantities, and a stream or 0;
-- with a stream its greatest length, the schema, the id of the order there, and which of the arguments is its body.
-- place: 'l', units of this lease are kept for it; 'o', those of an earlier lease were; 'p', none.
local function refused(order, code, line)
  local place, id, lines = order[2], order[5], order[9]
  local final = code == 'user-limit' or code == 'item-closed'
  if code == 'sold-out' then
    final = item(lines[line]).leased == 0
    if not final then redis.call('HSET', items, lines[line] .. '|wanted', now) end
  end
  -- An order that a process had promised units, and that is revoked, may be tried again.
  if final and id ~= '' and (place == 'p' or code ~= 'sold-out') then
    forget_later('i' .. id)
    id_of.put(id, order[6] .. ' !')
  end
  return { code, (line + 1) / 2 - 1, final and 1 or 0 }
end

local run = {} -- how each operation is carried out
local reserved = { 'reserved' } -- as it was asked for: without its details

-- The answer to an id that is known, nil for another one. \`own\`: the reservation of the order that asks.
local function recalled(id, digest, own)
  local known = id_of.get(id)
  if not known then return nil end
  local its, what = string.match(known, '^(%S+) (.+)$')
  if its ~= digest then return { 'mismatch' } end
  if what == '!' then return { 'failed' } end
  return seen(what == own and 'reserved' or 'duplicate', what)
end

-- Only recalls an id: 'i', id, digest.
function run.i(op) return recalled(op[2], op[3], '') or { 'new' } end

function run.r(order)
  local place, origin, reservation, id = order[2], order[3], order[4], order[5]
  local digest, user, hold_ms, lines = order[6], order[7], order[8], order[9]
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

  local stream = order[10] > 0 and KEYS[11 + order[10]]
  if stream and not has_room(stream, order[11]) then return { 'queue-full' } end
  local taken = {} -- for each line: how many units of the lease it takes, and how many units the user has
  for i = 1, #lines, 2 do
    local sku, n = lines[i], lines[i + 1]
    local one = item(sku)
    if not one then return refused(order, 'unknown-sku', i) end
    if one.limit > 0 and user == '' then return refused(order, 'needs-user', i) end
    if one.closed then return refused(order, 'item-closed', i) end
    local own, had = 0, 0
    if one.limit > 0 then
      had = tonumber(has.get(sku .. '|' .. user) or '0')
      if had + n > one.limit then return refused(order, 'user-limit', i) end
    end
    local lease = place == 'l' and state.l[sku]
    if lease then own = math.min(lease[1], n) end
    if one.free < n - own then return refused(order, 'sold-out', i) end
    taken[i], taken[i + 1] = own, had
  end

  for i = 1, #lines, 2 do
    local sku, n, own = lines[i], lines[i + 1], taken[i]
    local one = book[sku]
    if own > 0 then
      state.l[sku][1] = state.l[sku][1] - own
      change(one, 'leased', -own)
    end
    if own < n then change(one, 'free', own - n) end
    change(one, 'held', n)
    if one.limit > 0 then has.put(sku .. '|' .. user, text_of(taken[i + 1] + n)) end
    moved('reserved', sku, n, reservation, user)
  end
  keep(reservation, { 'held', now + hold_ms, user, id, origin, lines, member })
  runs_until(now + hold_ms, reservation)
  if id ~= '' then
    id_of.put(id, digest .. ' ' .. reservation)
    announced_count = announced_count + 1
    announced[announced_count] = id
  end
  if stream then
    lengths[stream] = lengths[stream] + 1
    entries[#entries + 1] = { stream, '*', 'sluice', '1', 'schema', order[12], 'id', order[13],
      'order', ARGV[at + order[14]], 'reservation', reservation }
  end
  return reserved
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

local unknown_sku = { 'unknown-sku' }

-- confirm and cancel
local function resolve(op, state_of)
  local hold, other = held(op[2])
  if hold then finish(op[2], hold, state_of) end
  return { hold and state_of or other }
end
function run.c(op) return resolve(op, 'confirmed') end
function run.x(op) return resolve(op, 'cancelled') end

-- extend
function run.e(op)
  local hold, other = held(op[2])
  if not hold then return { other } end
  if now + op[3] > hold[2] then
    hold[2] = now + op[3]
    keep(op[2], hold)
    runs_until(hold[2], op[2])
  end
  return { 'extended' }
end

-- The numbers of an item, for an answer.
local function counts(sku, first)
  local names, answer = { 'total', 'free', 'leased', 'held', 'sold' }, { first }
  for i, name in ipairs(names) do
    answer[i + 1] = tonumber(redis.call('HGET', items, sku .. '|' .. name)) + (item(sku).change[name] or 0)
  end
  return answer
end

-- restock
function run.a(op)
  local sku, n = op[2], op[3]
  if not item(sku) then return unknown_sku end
  if counts(sku)[2] + n > ${quantityMax} then return { 'too-many' } end
  add(sku, 'total', n)
  add(sku, 'free', n)
  moved('restocked', sku, n)
  return counts(sku, n)
end

-- withdraw
function run.w(op)
  local sku, one = op[2], item(op[2])
  if not one then return unknown_sku end
  local taken = math.min(op[3], one.free)
  if taken > 0 then
    add(sku, 'free', -taken)
    add(sku, 'total', -taken)
    moved('withdrawn', sku, taken)
  end
  if taken < op[3] then redis.call('HSET', items, sku .. '|wanted', now) end
  return counts(sku, taken)
end

-- close and reopen
function run.k(op)
  local one = item(op[2])
  if not one then return unknown_sku end
  if not one.closed then
    one.closed = '1'
    redis.call('HSET', items, op[2] .. '|closed', '1')
    moved('closed', op[2], 0)
  end
  return { 'done' }
end
function run.o(op)
  local one = item(op[2])
  if not one then return unknown_sku end
  if one.closed then
    one.closed = false
    redis.call('HDEL', items, op[2] .. '|closed')
    moved('reopened', op[2], 0)
  end
  return { 'done' }
end

-- add an item
function run.n(op)
  local sku = op[2]
  if item(sku) then return { 'sku-exists' } end
  if op[4] > 0 then redis.call('HSET', items, sku .. '|limit', op[4]) end
  redis.call('HSET', items, sku .. '|leased', 0, sku .. '|held', 0, sku .. '|sold', 0,
    sku .. '|free', op[3], sku .. '|total', op[3])
  book[sku] = nil
  moved('added', sku, op[3])
  return { 'added' }
end

-- expire
function run.t() return { expire_some(1000) } end

local with_reservation = { c = true, x = true, e = true }
local function carry_out(batch)
  local results, of_ids, of_holds, of_users = {}, {}, {}, {}
  local ids_count, holds_count, users_count = 0, 0, 0
  for _, op in ipairs(batch) do
    local kind = op[1]
    if kind == 'r' or with_reservation[kind] then
      holds_count = holds_count + 1
      of_holds[holds_count] = kind == 'r' and op[4] or op[2]
    end
    local id = kind == 'r' and op[5] or kind == 'i' and op[2] or ''
    if id ~= '' then
      ids_count = ids_count + 1
      of_ids[ids_count] = id
    end
    if kind == 'r' and op[7] ~= '' then
      local lines, user = op[9], '|' .. op[7]
      for j = 1, #lines, 2 do
        users_count = users_count + 1
        of_users[users_count] = lines[j] .. user
      end
    end
  end
  packed.fetch(of_holds)
  id_of.fetch(of_ids)
  has.fetch(of_users)
  for i, op in ipairs(batch) do results[i] = run[op[1]](op) end
  return cjson.encode(results)
end
`;
