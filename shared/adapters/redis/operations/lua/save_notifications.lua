-- Stores ARGV[2] as what notifications remember (KEYS[1]) if the lease KEYS[2] is still ARGV[1]'s, and renews the lease
-- for ARGV[3] ms. Returns 1 if stored.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
