-- The rate that all workers share for one system, and what it learns. Prelude of the scripts of `remote_limiter.py`.
--
-- `interval` is the time between two admissions (ms). As in BIC, the predecessor of TCP's CUBIC, it is searched for
-- between `limit`, the longest interval at which the system throttled, and `good`, the shortest that it accepted:
-- slower by a factor at each throttled answer, faster by ever smaller steps towards the limit while none comes. After
-- HOLD without one the interval is made shorter by 5 %, then by 10, 20, 40 and 50, so that a system that permits more is
-- found out within a minute and one that does not loses one request in HOLD. Never faster than configured.
-- Source: Xu, Harfoush, Rhee: "Binary Increase Congestion Control for Fast Long-Distance Networks", INFOCOM 2004.
--
-- KEYS: pause, ailing, probe, failures, line, heartbeats, rate, seen, outage. ARGV[1] the time (ms; empty: Redis's), ARGV[2] the
-- configured interval (ms); a script's own from ARGV[3].
local PAUSE, AILING, PROBE, FAILURES, LINE, HEARTBEATS, RATE, SEEN, OUTAGE = unpack(KEYS)
local CONFIGURED = tonumber(ARGV[2])
-- The first interval, where a throttled answer says nothing of itself; below the shortest, none is kept.
local FIRST, SHORTEST, LONGEST = 100, 5, 10000
-- Without a hint, of a pause and an interval. Half a minute is for systems that are away.
local MAX_PAUSE = 5000
-- A system that asks for a longer wait than this is paused as a whole.
local MAX_WAIT = 600000
-- Requests arrive a little earlier or later than they were let in.
local MARGIN, NEAR = 1.05, 1.12
-- So many accepted requests make an interval one that works: then throttling is a matter of jitter.
local STEADY = 5
-- So many make it safe enough to go half of the way that is left to the limit.
local SETTLED = 10
-- A request that comes so many intervals after the one before it says whether the interval works.
local TESTS = 1.25
local HOLD, NEXT_HOLD = 20000, 2000
local KEPT_FOR = 7 * 24 * 3600 * 1000
local TOLD_AGAIN_AFTER, TOLD_RATIO = 10000, 1.5

local function server_time()
  local time = redis.call('TIME')
  return time[1] * 1000 + time[2] / 1000
end

local NOW = tonumber(ARGV[1]) or server_time()

-- `next`: when the next request may go; `last`: when the last one went; `changed`, `slowed`: when the interval was
-- changed, and made longer; `proven`: requests accepted at it; `calm`, `steps`: since when nothing was throttled, and
-- how often the interval was made shorter since; `told`, `told_at`: the interval that was logged last.
local FIELDS = {
  'interval', 'limit', 'good', 'proven', 'changed', 'slowed', 'calm', 'steps', 'next', 'last', 'told', 'told_at',
}
local rate = {}
for i, value in ipairs(redis.call('HMGET', RATE, unpack(FIELDS))) do
  local number = tonumber(value or '')
  -- What is no number, or less than nothing, was not written here.
  rate[FIELDS[i]] = number and number >= 0 and number or 0
end
for _, name in ipairs({'interval', 'limit', 'good'}) do
  rate[name] = math.min(rate[name], math.max(LONGEST, CONFIGURED))
end
rate.next = math.min(rate.next, NOW + MAX_WAIT)

local function exact(number)
  return string.format('%.3f', number)
end

local function keep(...)
  local fields = {}
  for _, name in ipairs({...}) do
    fields[#fields + 1] = name
    fields[#fields + 1] = exact(rate[name])
  end
  redis.call('HSET', RATE, unpack(fields))
  redis.call('PEXPIRE', RATE, KEPT_FOR)
end

local function interval()
  return math.max(CONFIGURED, rate.interval)
end

-- Whether anything was learnt that differs from what is configured.
local function is_learnt()
  return rate.interval > CONFIGURED or rate.limit > 0
end

local function keep_learnt()
  keep('interval', 'limit', 'good', 'proven', 'changed', 'slowed', 'calm', 'steps', 'next')
end

local function change_to(new)
  rate.interval, rate.changed, rate.proven = new, NOW, 0
  -- A shorter interval holds for the request that is next.
  rate.next = math.min(rate.next, rate.last + new)
end

-- Makes the interval longer after a throttled answer to a request that was let in at an interval of `at`. `hint` is how
-- long the system asks to wait (0: it does not say). Returns how long nobody is let in.
local function slow_down(at, hint, was_probe)
  local base = math.max(interval(), at)
  -- Accepted before at about this interval: requests came a little too close together.
  local proven = not was_probe and (rate.proven > 0 or rate.good > 0 and rate.good <= base)
  if was_probe or rate.good <= base then
    rate.good = 0
  end
  local new, pause
  if rate.good > 0 then
    new, pause = rate.good > 1.25 * base and math.sqrt(base * rate.good) or rate.good, rate.good
  elseif base == 0 then
    new = math.max(FIRST, hint / 4)
  elseif proven then
    new = base * (rate.proven >= STEADY and MARGIN or NEAR)
  elseif hint > base and rate.limit > 0 then
    new = math.sqrt(base * hint)
  else
    new = 2 * base
  end
  new = math.min(math.max(new, MARGIN * base), math.max(hint > 0 and LONGEST or MAX_PAUSE, CONFIGURED))
  pause = math.min(math.max(pause or 0, new), MAX_PAUSE)
  -- What the answer says is believed, until a shorter interval was seen to work: hints are whole seconds.
  if hint > 0 and rate.good == 0 and not proven then
    pause, rate.good = hint, math.max(hint, new)
  end
  -- A probe that fails says that the system still has enough, and not that it permits no shorter interval.
  rate.limit = was_probe and rate.limit or base
  rate.slowed, rate.calm, rate.steps = NOW, NOW, 0
  change_to(new)
  rate.next = NOW + pause
  keep_learnt()
  return pause
end

-- Where no limit is known near the interval, the answer to a probe is enough to halve it.
local function probe_succeeded()
  if 4 * rate.limit <= interval() then
    change_to(math.max(CONFIGURED, interval() / 2))
    keep_learnt()
  end
end

-- Near enough to the limit: going nearer would be throttled as often as it would not.
local function is_near_limit()
  return rate.limit > 0 and (interval() <= NEAR * rate.limit or interval() <= CONFIGURED)
end

local function may_explore()
  local hold = rate.steps == 0 and math.max(HOLD, 30 * interval()) or math.max(NEXT_HOLD, 5 * interval())
  return NOW - rate.calm >= hold
end

-- Goes below the limit, a little first and then more, while nothing is throttled.
local function explore()
  local new = math.max(CONFIGURED, interval() * (1 - math.min(0.05 * 2 ^ rate.steps, 0.5)))
  rate.limit = math.min(rate.limit, interval() * (1 - math.min(0.05 * 2 ^ rate.steps, 0.5)) / MARGIN)
  if rate.limit * MARGIN < math.max(CONFIGURED, SHORTEST) then
    rate.limit = 0
  end
  rate.calm, rate.steps = NOW, rate.steps + 1
  change_to(new)
end

-- Makes the interval shorter, after a request was accepted that came `at` (ms) after the one before it, as soon as the
-- interval allowed.
local function speed_up(at)
  local present = interval()
  if rate.good == 0 or at < rate.good then
    rate.good = at
  end
  if at > TESTS * present then
    -- The interval has become shorter since: nothing is known of it yet.
    keep_learnt()
    return
  end
  rate.proven = rate.proven + 1
  if not is_near_limit() then
    local nearer = math.sqrt(present * math.max(rate.limit, present / 4))
    change_to(math.max(CONFIGURED, MARGIN * rate.limit, nearer))
  elseif rate.proven >= SETTLED and present > 1.01 * math.max(CONFIGURED, MARGIN * rate.limit) then
    change_to(math.max(CONFIGURED, MARGIN * rate.limit, (present + rate.limit) / 2))
  elseif may_explore() then
    explore()
  end
  if rate.limit == 0 and rate.interval < math.max(CONFIGURED, SHORTEST) then
    rate.interval = 0
  end
  keep_learnt()
end

-- Returns the interval if it is to be logged: when it differs much from the one that was logged last, and not too often.
local function to_be_told()
  local present = interval()
  local higher, lower = math.max(present, rate.told), math.min(present, rate.told)
  local is_news = rate.told == 0 and is_learnt() or rate.told > 0 and higher >= TOLD_RATIO * lower
  if not is_news or NOW - rate.told_at < TOLD_AGAIN_AFTER then
    return ''
  end
  rate.told, rate.told_at = present, NOW
  keep('told', 'told_at')
  return exact(present)
end
