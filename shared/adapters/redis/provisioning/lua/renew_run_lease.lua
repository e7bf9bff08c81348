-- Prolongs the lease of provisioning; returns 1, or 0 if it is not held any more. KEYS: lease. ARGV: token, its length (ms).
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
