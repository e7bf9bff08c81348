-- Counts an attempt to sign in before it is checked, or refuses it. One that turns out right is taken back by
-- `forget_failed_login.lua`, so that what is counted are wrong ones, and those that are being checked now.
--
-- KEYS: the counters of this account from this sender, of the account, of the sender; the mark of a known sender.
-- ARGV: the most that each counter may hold; how long one lives after its first attempt (ms).
-- Returns 0, or for how long no attempt is checked (ms). A refused attempt is not counted.
local wait = 0
local known = redis.call('EXISTS', KEYS[4]) == 1
for i = 1, 3 do
  -- Who signed in from there before is not locked out by what others guess elsewhere.
  if not (i == 2 and known) and tonumber(redis.call('GET', KEYS[i]) or '0') >= tonumber(ARGV[i]) then
    wait = math.max(wait, 1, redis.call('PTTL', KEYS[i]))
  end
end
if wait > 0 then
  return wait
end
for i = 1, 3 do
  if redis.call('INCR', KEYS[i]) == 1 then
    redis.call('PEXPIRE', KEYS[i], ARGV[4])
  end
end
return 0
