-- Ends a request: its caller leaves the line, and if the system answered it, the system's failures are forgotten.
-- An answer to a request from before a pause does not end the pause.
-- KEYS: pause, ailing, probe, failures, line. ARGV: the caller, whether the system answered (1 or 0).
redis.call('ZREM', KEYS[5], ARGV[1])
if ARGV[2] == '1' and redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
end
