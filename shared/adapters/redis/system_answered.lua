-- Forgets a system's failures, since it answered. An answer to a request from before a pause does not end the pause.
-- KEYS: pause, ailing, probe, failures.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
end
