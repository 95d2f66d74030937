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
local function call(list, ...)
  local head = { ... }
  for first = 1, #list, 1000 do
    local args = { unpack(head) }
    for i = first, math.min(first + 999, #list) do args[#args + 1] = list[i] end
    redis.call(unpack(args))
  end
end

-- A movement: kind, sku, quantity, reservation, user. Some stand in one entry of the stream, with these names in turn.
local movements = {}
local function moved(kind, sku, n, reservation, user)
  local size = #movements
  movements[size + 1], movements[size + 2] = 'kind', kind
  movements[size + 3], movements[size + 4] = 'sku', sku
  movements[size + 5], movements[size + 6] = 'quantity', n
  movements[size + 7], movements[size + 8] = 'reservation', reservation or ''
  movements[size + 9], movements[size + 10] = 'user', user or ''
end
local function publish(most)
  if most > 0 then call(movements, 'XADD', moves, 'MAXLEN', '~', most, '*') end
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
-- Items: what was read of them, and by how much their numbers change; false for one that does not exist.
local book = {}
local function item(sku)
  local one = book[sku]
  if one == nil then
    local read = redis.call('HMGET', items, sku .. '|free', sku .. '|leased', sku .. '|limit', sku .. '|closed')
    one = false
    if read[1] then
      one = { free = tonumber(read[1]), leased = tonumber(read[2] or '0'), limit = tonumber(read[3] or '0') }
      one.closed, one.change = read[4], {}
    end
    book[sku] = one
  end
  return one
end
local function add(sku, place, n)
  local one = item(sku)
  if not one or n == 0 then return end
  one.change[place] = (one.change[place] or 0) + n
  if one[place] then one[place] = one[place] + n end
end

-- Fields of a hash that are read once; false for one that is not there.
local function cache(key)
  local read, changed = {}, {}
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
    changed[field] = true
  end
  -- Reads many fields by few commands.
  function self.fetch(fields)
    local missing = {}
    for _, field in ipairs(fields) do
      if read[field] == nil then missing[#missing + 1] = field end
    end
    for first = 1, #missing, 1000 do
      local last = math.min(first + 999, #missing)
      local values = redis.call('HMGET', key, unpack(missing, first, last))
      for i = first, last do read[missing[i]] = values[i - first + 1] end
    end
  end
  function self.write(text_of)
    local kept, gone = {}, {}
    for field in pairs(changed) do
      local value = read[field]
      if value then
        kept[#kept + 1], kept[#kept + 2] = field, text_of and text_of(value) or value
      else
        gone[#gone + 1] = field
      end
    end
    call(kept, 'HSET', key)
    call(gone, 'HDEL', key)
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
local deadlines, over, endings = {}, {}, {}
local function keep(reservation, hold)
  loaded[reservation] = hold
  packed.put(reservation, hold)
end

local function finish(reservation, hold, state)
  hold[1] = state
  keep(reservation, hold)
  deadlines[reservation] = nil
  over[#over + 1] = reservation
  endings[#endings + 1], endings[#endings + 2] = now + remember, 'r' .. reservation
  local user, lines = hold[3], hold[6]
  for i = 1, #lines, 2 do
    local sku, n = lines[i], lines[i + 1]
    add(sku, 'held', -n)
    if state == 'confirmed' then
      add(sku, 'sold', n)
    else
      local left = user ~= '' and tonumber(has.get(sku .. '|' .. user) or '0') or 0
      if left > 0 then has.put(sku .. '|' .. user, left > n and left - n) end
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

local entries, announced = {}, {} -- what goes to streams of orders; the ids of admitted orders
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
  packed.write(cmsgpack.pack)
  local dues = {}
  for reservation, deadline in pairs(deadlines) do dues[#dues + 1], dues[#dues + 2] = deadline, reservation end
  call(over, 'ZREM', due)
  call(dues, 'ZADD', due)
  call(endings, 'ZADD', ended)
  id_of.write()
  has.write()
  for _, entry in ipairs(entries) do redis.call('XADD', unpack(entry)) end
  call(announced, 'XADD', accepted, 'MAXLEN', '~', accepted_max, '*')
  publish(moves_max)
  write_numbers(1)
end
`;
