-- Deletes KEYS[1] if it still holds ARGV[1]; what someone else put there meanwhile stays. Returns 1 if deleted.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
