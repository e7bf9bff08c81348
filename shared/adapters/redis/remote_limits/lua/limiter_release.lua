-- Ends a request: its caller leaves the line. If the system answered it, the system's failures are forgotten, and the
-- rate learns. Where a pause was, only the answer to the probe ends it: one from before says nothing about now.
-- Returns the interval if it is to be logged (ms), else nothing.
-- Own arguments: the caller, whether the system answered (1, 0, or `unsent`: nobody was asked), whether this was the probe,
-- when it was let in (ms), whether that tested the interval, the interval that the answer advises (ms; 0: none), how long
-- after the one before it was let in (ms).
local CALLER, ANSWERED, WAS_PROBE, SINCE, TESTED = ARGV[3], ARGV[4] == '1', ARGV[5] == '1', tonumber(ARGV[6]), ARGV[7]
local ADVISED, AT = tonumber(ARGV[8]), tonumber(ARGV[9])
redis.call('ZREM', LINE, CALLER)
redis.call('ZREM', SEEN, CALLER)
if not ANSWERED then
  if WAS_PROBE and ARGV[4] == 'unsent' then
    -- Somebody else may find out how the system is.
    redis.call('DEL', PROBE)
  end
  return ''
end
if redis.call('EXISTS', PAUSE) == 0 and (WAS_PROBE or redis.call('EXISTS', AILING) == 0) then
  redis.call('DEL', AILING, PROBE, FAILURES, OUTAGE)
end
if ADVISED > interval() then
  change_to(ADVISED)
  rate.next = NOW + ADVISED
  keep_learnt()
elseif WAS_PROBE then
  probe_succeeded()
elseif TESTED == '1' and ADVISED == 0 and SINCE >= rate.changed then
  speed_up(AT)
end
return to_be_told()
