-- Notes a throttled answer: nobody is let in for a moment, then one caller, and if that is answered, all at a lower rate.
-- Of requests that were under way together only the first counts. Returns {how long nobody is let in (ms), the interval
-- if it is to be logged (ms), else nothing}.
-- Own arguments: when the request was let in (ms), the interval it was let in at (ms), whether it was the probe, how
-- long the system asks to wait (ms; 0: it does not say), the cause, for how long failures are remembered (ms).
local SINCE, AT, WAS_PROBE, HINT = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1', tonumber(ARGV[6])
local CAUSE, REMEMBERED = ARGV[7], tonumber(ARGV[8])
if SINCE <= rate.slowed then
  return {math.max(0, math.ceil(rate.next - NOW)), ''}
end
local pause = slow_down(AT, HINT, WAS_PROBE)
redis.call('SET', AILING, CAUSE, 'PX', math.ceil(pause) + REMEMBERED)
-- A system that throttles is there.
redis.call('DEL', PROBE, OUTAGE)
return {math.ceil(pause), to_be_told()}
