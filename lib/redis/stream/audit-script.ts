import { Script } from '../client/index.js';

/**
 * Reads a page of the stream. Returns for each entry: its id; the id of its order, or false if the entry is foreign; 1
 * if it is of a gate, which remembers ids elsewhere. What is remembered of an id is asked for by a second call, because
 * a script may use only keys that it was given.
 *
 * KEYS: the stream. ARGV: the first id, how many, the schema.
 */
export const pageOfOrders: Script = new Script(`
local page = {}
for i, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])) do
  local f = entry[2]
  local of_gate = #f == 10 and f[9] == 'reservation'
  local ours = (#f == 8 or of_gate) and f[1] == 'sluice' and f[3] == 'schema' and f[4] == ARGV[3] and f[5] == 'id'
  page[i] = { entry[1], ours and f[6], of_gate and 1 or 0 }
end
local t = redis.call('TIME')
return { t[1] * 1000 + math.floor(t[2] / 1000), page }
`);

/**
 * Counts the entries of a page that no group will hand out again: every group has read them, and none waits for them.
 * With several groups these are entries that wait to be trimmed. KEYS: the stream. ARGV: first id, last id.
 */
export const doneWithin: Script = new Script(`
local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
if #groups == 0 then return { 0, 0 } end
local function parts(id)
  local ms, n = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(n)
end
local function isAfter(a, b)
  local am, an = parts(a)
  local bm, bn = parts(b)
  return am > bm or (am == bm and an > bn)
end
local left = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2])) do left[entry[1]] = true end
for _, g in ipairs(groups) do
  local of = {}
  for i = 1, #g, 2 do of[g[i]] = g[i + 1] end
  for id in pairs(left) do
    if isAfter(id, of['last-delivered-id']) then left[id] = nil end
  end
  for _, p in ipairs(redis.call('XPENDING', KEYS[1], of['name'], ARGV[1], ARGV[2], 1000)) do left[p[1]] = nil end
end
local count = 0
for _ in pairs(left) do count = count + 1 end
return { #groups, count }
`);
