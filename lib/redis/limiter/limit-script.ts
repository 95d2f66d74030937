import { limiterLimits } from '../../limiter/index.js';
import { allowed, list, noReply, type RedisPort, Script, text } from '../client/index.js';

const { isSafeInteger } = Number;
/** The most tokens that a penalty lets a token bucket owe, as in a local limiter. */
const debtMax = 2 ** 33;
/** The longest wait that is reported, in microseconds: 36 years. */
const waitMax = Math.floor(2 ** 60 / 1_000);

/**
 * Decides requests about one key, by the clock of the server. It reads all tiers first and charges them only if all
 * allow; a refusal writes nothing. The state is one string, which expires when it says what a missing one says.
 *
 * KEYS: the state.
 * ARGV: the operation; ratePerSecond (0: no token bucket); burst; the number of windows; for each window its limit, the
 * length of a bucket in microseconds, the number of buckets; then what the operation takes:
 * - take: the number of returns, for each its units and when they were charged; the most tokens to lease, for how long
 *   in microseconds, and how much will be asked for in that time; for each run of equal requests how many there are and
 *   their cost.
 *   Answers: the time; how long the lease lasts; its tokens; how much all tiers allowed before; for each run how many
 *   were allowed, and for the others the tier and the wait.
 * - open: nothing. It asks what the others may do.
 * - peek: the cost. Answers: how much all tiers allow; the tightest tier; the tier that refuses and the wait.
 * - penalty, reward: the points. block: microseconds. reset.
 * A tier is 0 (none), 1 (token bucket), 1 + i (window i, from 1), or -1 (blocked). A wait is in microseconds; -1:
 * longer than 36 years.
 *
 * Why no window of `windowMs`, wherever it begins, has more than `limit` requests: a window of n buckets counts the
 * running bucket and the n before it, so a count is remembered for more than `windowMs` after each moment of its
 * bucket. A lease ends with the running bucket of every window. So leased tokens, too, are spent within the bucket that
 * counts them, and a window that contains the spending counts them.
 *
 * Why no interval of T seconds has more than burst + ratePerSecond * T: let D be the debt. It falls by the rate, and
 * each charge raises it, at most to burst - reserve. Let an interval begin at x. Tokens that are leased at x and not
 * yet spent were charged at most the time of a lease before x, so D(x) is at least their number less what D fell by
 * meanwhile, which is at most the reserve. What is spent from x to s is at most these and what is charged from x to s,
 * so at most D(s) + reserve + rate * (s - x), and D(s) + reserve is at most burst. When the last lease has ended, the
 * reserve becomes debt. So the argument holds for each later x, and for a state that has expired.
 */
const limitScript: Script = new Script(`
local floor, min, max = math.floor, math.min, math.max
local unit = 1000000 -- debts are in millionths of a token: with a whole rate they are whole
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local op, rate, burst = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]) * unit
local at = 5

-- The state: when it was made, when it was last seen, the debt, the reserve, when the last lease ends, until when the
-- key is blocked, the rate; for each window the length of a bucket, the running bucket, and the counts from it back.
local born, seen, debt, reserve, leased, blocked = now, now, 0, 0, 0, 0
local saved = redis.call('GET', KEYS[1])
local was = {}
if saved then
  was = cmsgpack.unpack(saved)
  born, seen, debt, reserve, leased, blocked = was[1], was[2], was[3], was[4], was[5], was[6]
  if was[7] ~= rate then
    born = now -- what was charged at another rate is not given back
    if was[7] > 0 then reserve = reserve / was[7] * rate end
  end
end
local changed = seen > now
if changed then -- the clock was set back: nothing has drained, and time counts from now on
  leased, blocked, seen = leased - (seen - now), blocked - (seen - now), now
end
local function drain(till)
  if till > seen then
    debt = max(0, debt - (till - seen) * rate)
    seen = till
  end
end
if now >= leased and reserve > 0 then
  drain(leased)
  debt, reserve = debt + reserve, 0
end
drain(now)

local windows = {}
for i = 1, tonumber(ARGV[4]) do
  local limit, width, last = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  at = at + 3
  local running, counts, used = floor(now / width), {}, 0
  for age = 0, last do counts[age] = 0 end
  local old = was[7 + i]
  if old and old[1] ~= width then born = now end
  for k = 3, old and #old or 0 do
    local bucket = old[2] - k + 3
    -- Counts of buckets with another length count as of their end; those ahead of the clock as of now.
    if old[1] ~= width then bucket = floor(((bucket + 1) * old[1] - 1) / width) end
    local age = max(0, running - bucket)
    if age <= last then
      counts[age] = counts[age] + old[k]
      used = used + old[k]
    end
  end
  windows[i] = { limit = limit, width = width, last = last, running = running, counts = counts, used = used }
end

local function save()
  local us = max(blocked - now, 0)
  if rate > 0 then us = max(us, (debt + reserve) / rate + max(0, leased - now)) end
  local state = { born, now, debt, reserve, leased, blocked, rate }
  for i, w in ipairs(windows) do
    local kept = { w.width, w.running }
    for age = 0, w.last do kept[age + 3] = w.counts[age] end
    state[7 + i] = kept
    if w.used > 0 then us = max(us, (w.running + w.last + 1) * w.width - now) end
  end
  if us == 0 then
    redis.call('DEL', KEYS[1])
  else
    local ms = min(math.ceil(us / 1000) + 10, 1e15)
    redis.call('SET', KEYS[1], cmsgpack.pack(state), 'PX', string.format('%.0f', ms))
  end
end

local function add(i, age, units)
  windows[i].counts[age] = windows[i].counts[age] + units
  windows[i].used = windows[i].used + units
end
local function charge(units)
  if rate > 0 then debt = debt + units * unit end
  for i = 1, #windows do add(i, 0, units) end
end
local function left()
  local least, tier = 1e15, 1
  if rate > 0 then least = max(0, floor((burst - reserve - debt) / unit)) end
  for i, w in ipairs(windows) do
    local free = max(0, w.limit - w.used)
    if free < least then least, tier = free, 1 + i end
  end
  return least, tier
end
local function refusal(cost)
  local tier, us = 0, 0
  local over = debt + cost * unit + reserve - burst
  if rate > 0 and cost > 0 and over > 0 then
    tier, us = 1, over / rate
    if cost * unit + reserve > burst then us = max(us, leased - now + (cost * unit + reserve - burst) / rate) end
  end
  for i, w in ipairs(windows) do
    local used = w.used
    if cost > 0 and used + cost > w.limit then
      if tier == 0 then tier = 1 + i end
      for age = w.last, 0, -1 do
        used = used - w.counts[age]
        if used + cost <= w.limit then
          us = max(us, (w.running - age + w.last + 1) * w.width - now)
          break
        end
      end
    end
  end
  if blocked > now then tier, us = -1, max(us, blocked - now) end
  us = math.ceil(us)
  return tier, us > ${waitMax} and -1 or us
end

if op == 'open' then ${allowed('SET', 'DEL')}
  return { 0 }
elseif op == 'peek' then
  local least, tightest = left()
  local tier, us = refusal(tonumber(ARGV[at]))
  return { least, tightest, tier, us }
elseif op == 'reset' then
  redis.call('DEL', KEYS[1])
  return { 0 }
elseif op == 'block' then
  local us = tonumber(ARGV[at])
  blocked = us > 0 and now + us or 0
  save()
  return { 0 }
elseif op == 'penalty' then
  local points = tonumber(ARGV[at])
  if rate > 0 then debt = min(${debtMax} * unit, debt + points * unit) end
  for i, w in ipairs(windows) do add(i, 0, min(points, ${limiterLimits.windowLimit} - w.counts[0])) end
  save()
  return { 0 }
elseif op == 'reward' then
  local points = tonumber(ARGV[at])
  debt = max(0, debt - points * unit)
  for i, w in ipairs(windows) do
    local rest = points
    for age = 0, w.last do
      local given = min(rest, w.counts[age])
      add(i, age, -given)
      rest = rest - given
    end
  end
  save()
  return { 0 }
end

local returns = tonumber(ARGV[at])
for r = 1, returns do
  local units, charged = tonumber(ARGV[at + 2 * r - 1]), tonumber(ARGV[at + 2 * r])
  if charged >= born and charged <= now then
    -- What has drained since is not owed any more: to give it back would be a gift.
    debt = max(0, debt - max(0, units * unit - (now - charged) * rate))
    for i, w in ipairs(windows) do
      local age = w.running - floor(charged / w.width)
      if age <= w.last then add(i, age, -min(units, w.counts[age])) end
    end
    changed = true
  end
end
at = at + 2 * returns + 1
local most, lasts, expected = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
local free = left()
local answer = { now, 0, 0, free }
for r = at + 3, #ARGV, 2 do
  local count, cost = tonumber(ARGV[r]), tonumber(ARGV[r + 1])
  local allowed = count
  if blocked > now then
    allowed = 0
  elseif cost > 0 then
    allowed = min(count, floor(left() / cost))
  end
  local tier, us = 0, 0
  if allowed * cost > 0 then
    charge(allowed * cost)
    changed = true
  end
  if allowed < count then tier, us = refusal(cost) end
  answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = allowed, tier, us
end
if expected > 0 and blocked <= now then
  local kept, asked = reserve, lasts
  for _, w in ipairs(windows) do lasts = min(lasts, (w.running + 1) * w.width - now) end
  if rate > 0 then
    lasts = min(lasts, floor(burst / rate / 8))
    kept = max(reserve, lasts * rate)
  end
  local before = reserve
  reserve = kept
  local tokens = min(most, floor(expected * lasts / asked), floor(left() / 2)) -- the rest is for others
  if lasts >= 1000 and tokens >= 2 then
    charge(tokens)
    leased = max(leased, now + lasts)
    answer[2], answer[3] = lasts, tokens
    changed = true
  else
    reserve = before
  end
end
if changed then save() end
return answer
`);

/** The limits as the script takes them. */
export interface Tiers {
  readonly tokenBucket: { readonly ratePerSecond: number; readonly burst: number } | undefined;
  readonly windows: readonly {
    readonly limit: number;
    readonly windowMs: number;
    readonly buckets: number;
  }[];
}

/** Equal requests in a row. */
export interface Run {
  count: number;
  readonly cost: number;
}

/** Units that are given back, and the time of the server when they were charged. */
export interface Return {
  readonly units: number;
  readonly charged: number;
}

/** A tier that refuses, and after how many milliseconds it would allow. */
export interface Refusing {
  readonly tier: 'token-bucket' | 'sliding-window' | 'blocked';
  readonly window: number | undefined;
  readonly retryAfterMs: number;
}

/** What the script answers to `take`. */
export interface Taken {
  /** When it was, by the clock of the server, in microseconds. */
  readonly charged: number;
  /** How long the lease lasts from then on, in milliseconds; and its tokens, 0 without a lease. */
  readonly lastsMs: number;
  readonly tokens: number;
  /** How much all tiers allowed before. */
  readonly free: number;
  /** For each run how many were allowed, and what refused the others. */
  readonly runs: ReadonlyArray<{ readonly allowed: number; readonly refusing: Refusing | undefined }>;
}

/** The operations of the script, for one limiter. */
export class LimitCalls {
  readonly #limits: readonly number[];

  constructor({ tokenBucket, windows }: Tiers) {
    this.#limits = [
      ...[tokenBucket?.ratePerSecond ?? 0, tokenBucket?.burst ?? 0, windows.length],
      ...windows.flatMap(({ limit, windowMs, buckets }) => {
        return [limit, Math.ceil((windowMs * 1_000) / buckets), buckets];
      }),
    ];
  }

  async take(
    port: RedisPort,
    key: string,
    returns: readonly Return[],
    lease: { readonly tokens: number; readonly ms: number; readonly expected: number },
    runs: readonly Run[],
  ): Promise<Taken> {
    const lastsUs = Math.floor(lease.ms * 1_000);
    const reply = await this.#run(port, key, 'take', [
      returns.length,
      ...returns.flatMap(({ units, charged }) => [units, charged]),
      ...[lease.tokens, lastsUs, lease.expected],
      ...runs.flatMap(({ count, cost }) => [count, cost]),
    ]);
    const numbers = numbersIn(reply, 4 + 3 * runs.length);
    const [charged = 0, lasts = 0, tokens = 0, free = 0] = numbers;
    const answers = runs.map(({ count }, i) => {
      const [allowed = 0, tier = 0, us = 0] = numbers.slice(4 + 3 * i);
      if (allowed < 0 || allowed > count) throw unlike();
      if (allowed < count !== (tier !== 0)) throw unlike();
      return { allowed, refusing: this.#refusing(tier, us) };
    });
    if (charged <= 0 || free < 0 || tokens < 0 || tokens > lease.tokens || lasts < 0 || lasts > lastsUs) {
      throw unlike();
    }
    return { charged, lastsMs: lasts / 1_000, tokens, free, runs: answers };
  }

  async peek(
    port: RedisPort,
    key: string,
    cost: number,
  ): Promise<{ free: number; tightest: Refusing['tier']; refusing: Refusing | undefined }> {
    const numbers = numbersIn(await this.#run(port, key, 'peek', [cost]), 4);
    const [free = 0, tightest = 0, tier = 0, us = 0] = numbers;
    const least = this.#refusing(tightest, 0);
    if (free < 0 || least === undefined) throw unlike();
    return { free, tightest: least.tier, refusing: this.#refusing(tier, us) };
  }

  /** `amount`: points, or for a block its length in milliseconds. */
  async change(
    port: RedisPort,
    key: string,
    op: 'open' | 'penalty' | 'reward' | 'reset' | 'block',
    amount: number,
  ): Promise<void> {
    const given = op === 'block' ? Math.round(amount * 1_000) : amount;
    const [answer] = numbersIn(await this.#run(port, key, op, [given]), 1);
    if (answer !== 0) throw unlike();
  }

  #run(port: RedisPort, key: string, op: string, args: readonly number[]): Promise<unknown> {
    return limitScript.run(port, [key], [op, ...this.#limits, ...args]);
  }

  #refusing(tier: number, us: number): Refusing | undefined {
    if (tier === 0) return undefined;
    if (tier < -1 || tier > 1 + (this.#limits[2] as number) || us < -1) throw unlike();
    return {
      tier: tier === -1 ? 'blocked' : tier === 1 ? 'token-bucket' : 'sliding-window',
      window: tier > 1 ? tier - 2 : undefined,
      retryAfterMs: us === -1 ? Infinity : us / 1_000,
    };
  }
}

function numbersIn(reply: unknown, length: number): readonly number[] {
  const numbers = list(reply).map((value) => (text(value) === '' ? Number.NaN : Number(text(value))));
  if (numbers.length === length && numbers.every((number) => isSafeInteger(number))) return numbers;
  throw unlike();
}

function unlike(): Error {
  return noReply('the answer of a limiter');
}
