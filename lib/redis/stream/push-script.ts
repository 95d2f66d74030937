import { allowed, Script } from '../client/index.js';

/**
 * Appends orders. Answers for each: 's' and its entry's id (stored now), 'd' and the id (stored before), 'f' (full) or
 * 'm' (the id is remembered with another body).
 *
 * KEYS: the stream; for each order the key of its id.
 * ARGV: maxLength; how long to remember ids, in ms; the schema; for each order: id, digest, body.
 */
export const pushOrders: Script = new Script(`${allowed('XADD', 'SET')}
-- Entries are counted, not trimmed: MAXLEN would drop orders that no worker has handled.
local room = tonumber(ARGV[1]) - redis.call('XLEN', KEYS[1])
local answers = {}
for i = 2, #KEYS do
  local id, digest, body = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
  local known = redis.call('GET', KEYS[i])
  if known then
    local entry, its = string.match(known, '^(%S+) (%S+)$')
    if its == digest then answers[i - 1] = 'd' .. entry else answers[i - 1] = 'm' end
  elseif room <= 0 then
    answers[i - 1] = 'f'
  else
    -- The entry first: if a damaged file of the server has only half of this, the order is there twice, not lost.
    local entry = redis.call('XADD', KEYS[1], '*', 'sluice', '1', 'schema', ARGV[3], 'id', id, 'order', body)
    redis.call('SET', KEYS[i], entry .. ' ' .. digest, 'PX', ARGV[2])
    answers[i - 1] = 's' .. entry
    room = room - 1
  end
end
return answers
`);
