-- Lets a caller send a request: returns {0, whether failures are noted, whether it is the probe, when (ms), how long after
-- the one before it, or at which interval (ms), whether its answer says whether that works}; or for how long not (ms), why, and how the
-- system is. After a pause one caller finds out whether the system is well again; the others wait for what it finds.
--
-- Where there is a rate or a bound of requests under way, callers stand in one line, in the order in which their work
-- began, so that a course which has begun to write ends before later ones read. Those under way are in it with negative
-- scores, before everybody who waits. A caller that waits asks again; one that does not is dropped.
-- Own arguments: how long a probe may take, how long to wait for somebody else's probe, how long a request may be under
-- way (ms), how many may be (0: any number), after how long without a beat a process is gone (ms), since when the
-- caller's work goes on (ms; empty: now), the caller (its process, a space, a name), callers whose requests are over.
local MAX_PROBE, PROBE_POLL, LONGEST_REQUEST = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local MOST, GONE_AFTER, ORDER, CALLER = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8], ARGV[9]
-- Who is next has so long to ask before the one behind it may go; who waits asks at least so often, or is dropped.
local GRACE, ASKS_WITHIN, LATE = 50, 1000, 3000
local JITTER = 5

local function drop(caller)
  redis.call('ZREM', LINE, caller)
  redis.call('ZREM', SEEN, caller)
end

-- Killed callers; and those from the future, should Redis's clock have been put back.
local function drop_late()
  redis.call('ZREMRANGEBYSCORE', LINE, exact(LONGEST_REQUEST - NOW), '(0')
  redis.call('ZREMRANGEBYSCORE', LINE, '-inf', exact(-NOW - LATE))
  local late = redis.call('ZRANGEBYSCORE', SEEN, '-inf', exact(NOW))
  local from_the_future = redis.call('ZRANGEBYSCORE', SEEN, exact(NOW + ASKS_WITHIN + 2 * LATE), '+inf')
  for _, callers in ipairs({late, from_the_future}) do
    for _, caller in ipairs(callers) do
      drop(caller)
    end
  end
  -- Callers that wait and of whom nothing is seen, as after a Redis that lost one key.
  if redis.call('ZCOUNT', LINE, 0, '+inf') > redis.call('ZCARD', SEEN) then
    for _, caller in ipairs(redis.call('ZRANGEBYSCORE', LINE, 0, '+inf')) do
      if not redis.call('ZSCORE', SEEN, caller) then
        drop(caller)
      end
    end
  end
end

-- When each process that beats did so last, by its place.
local function last_beats()
  local last, beats = {}, redis.call('HGETALL', HEARTBEATS)
  for i = 1, #beats, 2 do
    local process = string.match(beats[i], '@(.*)$') or beats[i]
    last[process] = math.max(last[process] or 0, tonumber(beats[i + 1]))
  end
  return last
end

local function is_gone(caller, last)
  local beat = last[string.match(caller, '^(.*) ') or '']
  return beat and server_time() - beat > GONE_AFTER
end

-- Whoever waits sees to it that no killed process stands before it for longer than its last heartbeat is believed.
local function drop_gone_processes()
  local last = last_beats()
  for _, one in ipairs(redis.call('ZRANGE', LINE, 0, MOST - 1)) do
    if is_gone(one, last) then
      drop(one)
    end
  end
end

-- Whether somebody finds out how the system is; not if its process was killed meanwhile.
local function is_probed()
  local prober = redis.call('GET', PROBE)
  if prober and is_gone(prober, last_beats()) then
    redis.call('DEL', PROBE)
    return false
  end
  return prober and true or false
end

-- Both keys end together: a line that outlived what was seen of it would keep callers that nobody drops any more.
local function stay(score)
  redis.call('ZADD', LINE, score, CALLER)
  redis.call('PEXPIRE', LINE, LONGEST_REQUEST)
  redis.call('PEXPIRE', SEEN, LONGEST_REQUEST)
end

local function wait_in_line(milliseconds, why, how)
  redis.call('ZADD', SEEN, exact(NOW + ASKS_WITHIN + LATE), CALLER)
  stay(ORDER ~= '' and ORDER or redis.call('ZSCORE', LINE, CALLER) or exact(NOW))
  return {math.ceil(milliseconds), why, how}
end

for over = 10, #ARGV do
  drop(ARGV[over])
end
local remaining, cause = redis.call('PTTL', PAUSE), redis.call('GET', AILING)
if remaining > 0 then
  drop(CALLER)
  return {remaining, redis.call('GET', PAUSE), 'paused'}
end
local present = interval()
local has_line = MOST > 0 or present > 0
if cause and is_probed() then
  return has_line and wait_in_line(PROBE_POLL, cause, 'probed') or {PROBE_POLL, cause, 'probed'}
end

local tested, at = 0, present
if has_line then
  drop_late()
  wait_in_line(0, '', '')
  local before = redis.call('ZRANK', LINE, CALLER)
  local under_way = redis.call('ZCOUNT', LINE, '-inf', '(0')
  local ahead = before - under_way
  -- A clock that was put back keeps nobody waiting.
  local free_at = math.min(rate.next, NOW + math.max(present, LONGEST_REQUEST))
  local too_soon = free_at + ahead * GRACE - NOW
  if present > 0 and too_soon > 0 then
    return {math.max(1, math.ceil(free_at - NOW + ahead * present)), cause or '', 'called at its permitted pace'}
  end
  local too_many = MOST > 0 and before - MOST + 1 or 0
  if too_many > 0 then
    drop_gone_processes()
    -- Whoever is far back asks seldom.
    return {math.min(5 * too_many, 200), '', 'busy'}
  end
  drop(CALLER)
  if MOST > 0 then
    stay(exact(-NOW))
  end
end
if present > 0 then
  local gap = NOW - rate.last
  if is_learnt() and not cause and gap <= TESTS * present + JITTER then
    tested, at = 1, math.max(present, gap)
  end
  rate.last, rate.next = NOW, NOW + present
  keep('last', 'next')
end
if cause then
  redis.call('SET', PROBE, CALLER, 'PX', MAX_PROBE)
end
local noted = redis.call('EXISTS', AILING, FAILURES) > 0 and 1 or 0
return {0, noted, cause and 1 or 0, exact(NOW), exact(at), tested}
