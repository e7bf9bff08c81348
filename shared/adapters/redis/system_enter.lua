-- Says whether a caller may send a request: returns {0, whether failures are noted (1 or 0)}, or for how long not (ms),
-- why, and how the system is. After a pause one caller finds out whether it is well again; the others wait for what it
-- finds. Where only so many requests may be under way, callers stand in one line, in the order in which they came: the
-- first of it are under way, the others wait in it. Who has to wait for another reason is not in the line.
-- KEYS: pause, ailing, probe, failures, line, heartbeats. ARGV: how long a probe may take (ms), how long to wait for
-- somebody else's probe (ms), how long anybody may be in the line (ms), how many requests may be under way (0: any
-- number), after how long without a beat a process is gone (ms), the caller (its process, a space, a name), and callers
-- whose requests are over.
local pause, ailing, probe, failures, line, heartbeats = unpack(KEYS)
local longest_us, most, gone_after, caller = ARGV[3] * 1000, tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]

local function ahead_of_caller()
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  -- Killed callers; and those from the future, should Redis's clock have been put back.
  redis.call('ZREMRANGEBYSCORE', line, '-inf', string.format('%.0f', now - longest_us))
  redis.call('ZREMRANGEBYSCORE', line, string.format('%.0f', now + longest_us), '+inf')
  if not redis.call('ZSCORE', line, caller) then
    local last = tonumber(redis.call('ZRANGE', line, -1, -1, 'WITHSCORES')[2] or 0)
    redis.call('ZADD', line, string.format('%.0f', math.max(now, last + 1)), caller)
    redis.call('PEXPIRE', line, ARGV[3])
  end
  return redis.call('ZRANK', line, caller)
end

-- Whoever waits sees to it that no killed process stands before it for longer than its last heartbeat is believed.
local function drop_gone_processes()
  local last_beats, beats = {}, redis.call('HGETALL', heartbeats)
  for i = 1, #beats, 2 do
    local process = string.match(beats[i], '@(.*)$') or beats[i]
    last_beats[process] = math.max(last_beats[process] or 0, tonumber(beats[i + 1]))
  end
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + time[2] / 1000
  for _, one in ipairs(redis.call('ZRANGE', line, 0, most - 1)) do
    local last_beat = last_beats[string.match(one, '^(.*) ')]
    if last_beat and now_ms - last_beat > gone_after then
      redis.call('ZREM', line, one)
    end
  end
end

for over = 7, #ARGV do
  redis.call('ZREM', line, ARGV[over])
end
local remaining, cause = redis.call('PTTL', pause), redis.call('GET', ailing)
if remaining > 0 then
  redis.call('ZREM', line, caller)
  return {remaining, redis.call('GET', pause), 'paused'}
end
if cause and redis.call('EXISTS', probe) == 1 then
  redis.call('ZREM', line, caller)
  return {tonumber(ARGV[2]), cause, 'probed'}
end
if most > 0 then
  local too_early = ahead_of_caller() - most + 1
  if too_early > 0 then
    drop_gone_processes()
    -- Whoever is far back asks seldom.
    return {math.min(5 * too_early, 200), '', 'busy'}
  end
end
if cause then
  redis.call('SET', probe, 1, 'PX', ARGV[1])
end
return {0, redis.call('EXISTS', ailing, failures) > 0 and 1 or 0}
