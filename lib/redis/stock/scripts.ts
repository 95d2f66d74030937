import { allowed, Script } from '../client/index.js';
import { saleLua } from './sale-lua.js';

/** The commands of `sync` that come after its first write. */
const saleCommands = [
  ...(['HDEL', 'HINCRBY', 'HMGET', 'HSET', 'HSETNX'] as const),
  ...(['XADD', 'XLEN', 'XRANGE', 'ZADD', 'ZCARD', 'ZRANGEBYSCORE', 'ZREM', 'ZSCORE'] as const),
];

/**
 * Opens a sale, and makes what is missing of it. An item that is there stays as it is.
 *
 * KEYS: see `SaleKeys`. ARGV: most movements; for each item: sku, quantity, limit per user (0: none).
 *
 * Answers 'open' and the number of items that were added; 'format' and the version of a sale that another version of
 * sluice has made; 'limit', the index of an item that has another limit, and that limit; or 'foreign', a key that
 * something else has made, and what it is.
 */
export const openSale: Script = new Script(`${allowed(...saleCommands)}${saleLua}
local moves_max = number()
local types = { 'hash', 'hash', 'hash', 'zset', 'hash', 'hash', 'hash', 'zset', 'zset', 'stream', 'stream' }
for i, wanted in ipairs(types) do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= 'none' and found ~= wanted then return { 'foreign', KEYS[i], found } end
end
local version = redis.call('HGET', items, 'version')
if version and version ~= '1' then return { 'format', version } end
for i = 2, #ARGV, 3 do
  local sku = ARGV[i]
  if redis.call('HEXISTS', items, sku .. '|total') == 1 then
    local limit = redis.call('HGET', items, sku .. '|limit') or '0'
    if limit ~= ARGV[i + 2] then return { 'limit', (i - 2) / 3, limit } end
  end
end
redis.call('HSET', items, 'version', '1')
local added = 0
while at < #ARGV do
  local sku, quantity, limit = arg(), number(), number()
  if redis.call('HEXISTS', items, sku .. '|total') == 0 then
    if limit > 0 then redis.call('HSET', items, sku .. '|limit', limit) end
    redis.call('HSET', items, sku .. '|leased', 0, sku .. '|held', 0, sku .. '|sold', 0, sku .. '|free', quantity,
      sku .. '|total', quantity)
    moved('added', sku, quantity)
    added = added + 1
  end
end
publish(moves_max)
return { 'open', added }
`);

/**
 * Finds a reservation. KEYS: see `SaleKeys`. ARGV: 'id' or 'reservation', and which.
 *
 * Answers nothing, or: reservation, state, ms left of its hold, user, id, and for each item its sku and quantity.
 */
export const findReservation: Script = new Script(`${saleLua}
local reservation = ARGV[2]
if ARGV[1] == 'id' then
  local known = redis.call('HGET', ids, ARGV[2])
  reservation = known and string.match(known, '^%S+ (%d+)$')
  if not reservation then return {} end
end
local packed = redis.call('HGET', holds, reservation)
if not packed then return {} end
local hold = cmsgpack.unpack(packed)
local state, left = hold[1], 0
if state == 'held' then
  left = math.max(0, hold[2] - now)
  if left == 0 then state = 'expired' end
end
local answer = { reservation, state, left, hold[3], hold[4] }
for _, value in ipairs(hold[6]) do answer[#answer + 1] = value end
return answer
`);

/**
 * Compares all numbers of a sale with what they are numbers of. It blocks the server while it reads every reservation.
 *
 * KEYS: see `SaleKeys`. ARGV: the most reservations to read.
 *
 * Answers 'books', the number of items and of held reservations; then one text for each thing that is wrong. Or 'many'
 * and the number of reservations; 'gone', if there is no sale.
 */
export const auditSale: Script = new Script(`${saleLua}
if redis.call('HEXISTS', items, 'version') == 0 then return { 'gone' } end
local size = redis.call('HLEN', holds)
if size > tonumber(ARGV[1]) then return { 'many', size } end

local books, wrong, count = {}, {}, 0
local function say(text) wrong[#wrong + 1] = text end
local all = redis.call('HGETALL', items)
for i = 1, #all, 2 do
  local sku, place = string.match(all[i], '^(.*)|(%a+)$')
  if sku then
    if not books[sku] then
      books[sku] = { found_held = 0, found_leased = 0, found_sold = 0 }
      count = count + 1
    end
    books[sku][place] = tonumber(all[i + 1])
  end
end

local has, held = {}, 0
local listed = redis.call('HGETALL', holds)
for i = 1, #listed, 2 do
  local reservation, hold = listed[i], cmsgpack.unpack(listed[i + 1])
  local state, lines = hold[1], hold[6]
  if state == 'held' then
    held = held + 1
    if not redis.call('ZSCORE', due, reservation) then say('reservation ' .. reservation .. ' would never expire') end
  elseif not redis.call('ZSCORE', ended, 'r' .. reservation) then
    say('reservation ' .. reservation .. ' would never be forgotten')
  end
  if hold[4] ~= '' then
    local known = redis.call('HGET', ids, hold[4])
    if not known or string.match(known, '^%S+ (.+)$') ~= reservation then
      say('the id of reservation ' .. reservation .. ' does not lead to it')
    end
  end
  for j = 1, #lines, 2 do
    local sku, n = lines[j], lines[j + 1]
    if not books[sku] then say('reservation ' .. reservation .. ' has an item that does not exist')
    elseif state == 'held' then books[sku].found_held = books[sku].found_held + n
    elseif state == 'confirmed' then books[sku].found_sold = books[sku].found_sold + n
    end
    if hold[3] ~= '' and (state == 'held' or state == 'confirmed') then
      local key = sku .. '|' .. hold[3]
      has[key] = (has[key] or 0) + n
    end
  end
end
if redis.call('ZCARD', due) ~= held then say(redis.call('ZCARD', due) .. ' deadlines of ' .. held .. ' held reservations') end

local states = redis.call('HGETALL', members)
for i = 1, #states, 2 do
  for sku, lease in pairs(cjson.decode(states[i + 1]).l) do
    if books[sku] then books[sku].found_leased = books[sku].found_leased + lease[1] end
  end
end

-- Reservations that were confirmed long ago are forgotten: a user may have more, and more may be sold.
local counted = redis.call('HGETALL', users)
for i = 1, #counted, 2 do
  local n = tonumber(counted[i + 1])
  if n < (has[counted[i]] or 0) or n <= 0 then
    say('user ' .. counted[i] .. ' has ' .. (has[counted[i]] or 0) .. ' units, but ' .. n .. ' are counted')
  end
end

for sku, book in pairs(books) do
  local function number_of(place)
    local n = book[place]
    if not n or n < 0 or n % 1 ~= 0 then say(sku .. ': ' .. place .. ' is ' .. tostring(n)) end
    return n or 0
  end
  local total, free, leased = number_of('total'), number_of('free'), number_of('leased')
  local in_hold, sold = number_of('held'), number_of('sold')
  if free + leased + in_hold + sold ~= total then
    say(sku .. ': total ' .. total .. ', but free ' .. free .. ', leased ' .. leased .. ', held ' .. in_hold ..
      ', sold ' .. sold)
  end
  if book.found_held ~= in_hold then say(sku .. ': held ' .. in_hold .. ', but reservations hold ' .. book.found_held) end
  if book.found_leased ~= leased then say(sku .. ': leased ' .. leased .. ', but members have ' .. book.found_leased) end
  if book.found_sold > sold then say(sku .. ': sold ' .. sold .. ', but reservations sold ' .. book.found_sold) end
end
local answer = { 'books', count, held }
for _, text in ipairs(wrong) do answer[#answer + 1] = text end
return answer
`);
