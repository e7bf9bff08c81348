-- Replaces a course's record and notes which assignments and sections lead to the course.
-- KEYS: record, courses, assignment courses, section courses. ARGV: course id, record, synced at (ms), the number of
-- assignment ids, the assignment ids, the Canvas section ids.
local course, assignments = ARGV[1], tonumber(ARGV[4])
redis.call('SET', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], course)
for i = 5, #ARGV do
  redis.call('HSET', i < 5 + assignments and KEYS[3] or KEYS[4], ARGV[i], course)
end
