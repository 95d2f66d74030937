/**
 * What the scripts of a sale share.
 *
 * KEYS: see `SaleKeys`. `items` has, for each item, the numbers `<sku>|total`, `|free`, `|leased`, `|held` and `|sold`;
 * `|limit`, if users have one; `|closed`, if it is; and `|wanted`, the time at which an order found no unit that was
 * not leased. Always `free + leased + held + sold = total`.
 */
export const saleLua = `
local items, members, answers, expiry, users, ids, holds, due, ended, moves, accepted = unpack(KEYS, 1, 11)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Arguments are read one after the other.
local at = 0
local function arg()
  at = at + 1
  return ARGV[at]
end
local function number() return tonumber(arg()) end

-- Calls a command with any number of arguments behind its first ones: Lua passes some thousands at most.
local function call(list, command, key)
  for first = 1, #list, 4000 do
    redis.call(command, key, unpack(list, first, math.min(first + 3999, #list)))
  end
end

-- Movements: kind, sku, quantity, reservation, user. Those of a script stand in one entry of the stream, as JSON.
local movements, moves_count = {}, 0
local function moved(kind, sku, n, reservation, user)
  moves_count = moves_count + 1
  movements[moves_count] = { kind, sku, n, reservation or '', user or '' }
end
local function publish(most)
  if most > 0 and moves_count > 0 then
    redis.call('XADD', moves, 'MAXLEN', '~', most, '*', 'movements', cjson.encode(movements))
  end
end
`;

/**
 * The numbers, reservations, users and ids of a sale, as a script that changes many of them reads and writes them: each
 * is read once, and all is written at the end, by few commands. Needs `remember`, the ms for which what has ended is
 * remembered, `moves_max` and `accepted_max`.
 *
 * What takes units from a place is written first, what puts them into one last. Of a file of the server that ends
 * within the script, units are missing, which `audit()` reports, and none is there twice.
 */
export const ledgerLua = `
-- A server takes long to make a text of a number: each is made once.
local texts = {}
local function text_of(n)
  local text = texts[n]
  if not text then
    text = string.format('%.0f', n)
    texts[n] = text
  end
  return text
end

-- Items: what was read of them, and by how much their numbers change; false for one that does not exist.
local book = {}
local function item(sku)
  local one = book[sku]
  if one == nil then
    local read = redis.call('HMGET', items, sku .. '|free', sku .. '|leased', sku .. '|limit', sku .. '|closed')
    one = false
    if read[1] then
      one = { free = tonumber(read[1]), leased = tonumber(read[2] or '0'), limit = tonumber(read[3] or '0') }
      one.closed, one.change = read[4], { free = 0, leased = 0, held = 0, sold = 0, total = 0 }
    end
    book[sku] = one
  end
  return one
end
local function change(one, place, n)
  local changes = one.change
  changes[place] = changes[place] + n
  if one[place] then one[place] = one[place] + n end
end
local function add(sku, place, n)
  local one = item(sku)
  if one then change(one, place, n) end
end

-- Fields of a hash that are read once; false for one that is not there. Of two values for one field the later is kept.
local function cache(key)
  local read, kept, size, gone = {}, {}, 0, {}
  local self = {}
  function self.get(field)
    local value = read[field]
    if value == nil then
      value = redis.call('HGET', key, field)
      read[field] = value
    end
    return value
  end
  function self.put(field, value)
    read[field] = value
    if value then
      kept[size + 1], kept[size + 2] = field, value
      size = size + 2
    else
      gone[#gone + 1] = field
    end
  end
  -- Reads many fields by few commands.
  function self.fetch(fields)
    local missing, count = {}, 0
    for _, field in ipairs(fields) do
      if read[field] == nil then
        count = count + 1
        missing[count] = field
      end
    end
    for first = 1, count, 4000 do
      local last = math.min(first + 3999, count)
      local values = redis.call('HMGET', key, unpack(missing, first, last))
      for i, value in ipairs(values) do read[missing[first + i - 1]] = value end
    end
  end
  function self.write()
    call(kept, 'HSET', key)
    local left = {}
    for _, field in ipairs(gone) do
      if not read[field] then left[#left + 1] = field end
    end
    call(left, 'HDEL', key)
  end
  return self
end
local id_of, has, packed = cache(ids), cache(users), cache(holds)

-- A reservation: { state, deadline, user, id, origin, { sku, n, ... }, member }.
local loaded = {}
local function load(reservation)
  local hold = loaded[reservation]
  if hold == nil then
    local text = packed.get(reservation)
    hold = text and cmsgpack.unpack(text)
    loaded[reservation] = hold
  end
  return hold or nil
end
local function keep(reservation, hold)
  loaded[reservation] = hold
  packed.put(reservation, cmsgpack.pack(hold))
end

-- Holds that run, those that have ended, and what is to be forgotten at some time.
local dues, dues_size, over, endings = {}, 0, {}, {}
local function runs_until(deadline, reservation)
  dues[dues_size + 1], dues[dues_size + 2] = text_of(deadline), reservation
  dues_size = dues_size + 2
end
local forget_at = text_of(now + remember)
local function forget_later(what)
  endings[#endings + 1], endings[#endings + 2] = forget_at, what
end

local function finish(reservation, hold, state)
  hold[1] = state
  keep(reservation, hold)
  over[#over + 1] = reservation
  forget_later('r' .. reservation)
  local user, lines = hold[3], hold[6]
  for i = 1, #lines, 2 do
    local sku, n = lines[i], lines[i + 1]
    add(sku, 'held', -n)
    if state == 'confirmed' then
      add(sku, 'sold', n)
    else
      local left = user ~= '' and tonumber(has.get(sku .. '|' .. user) or '0') or 0
      if left > 0 then has.put(sku .. '|' .. user, left > n and text_of(left - n)) end
      add(sku, 'free', n)
    end
    moved(state, sku, n, reservation, user)
  end
end

local function expire_some(most)
  local late, count = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, most), 0
  packed.fetch(late)
  for _, reservation in ipairs(late) do
    local hold = load(reservation)
    if not hold then over[#over + 1] = reservation
    elseif hold[1] == 'held' and hold[2] <= now then
      finish(reservation, hold, 'expired')
      count = count + 1
    end
  end
  return count
end

local entries, announced, announced_count = {}, {}, 0 -- what goes to streams of orders; the ids of admitted orders
local function write_numbers(sign)
  for sku, one in pairs(book) do
    if one then
      for place, n in pairs(one.change) do
        if n * sign > 0 then redis.call('HINCRBY', items, sku .. '|' .. place, n) end
      end
    end
  end
end
local function write()
  write_numbers(-1)
  packed.write()
  call(dues, 'ZADD', due)
  call(over, 'ZREM', due)
  call(endings, 'ZADD', ended)
  id_of.write()
  has.write()
  for _, entry in ipairs(entries) do redis.call('XADD', unpack(entry)) end
  if announced_count > 0 then
    redis.call('XADD', accepted, 'MAXLEN', '~', accepted_max, '*', 'ids', cjson.encode(announced))
  end
  publish(moves_max)
  write_numbers(1)
end
`;
