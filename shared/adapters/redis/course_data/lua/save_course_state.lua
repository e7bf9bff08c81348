-- Replaces a course's record and its summary, and notes which assignments and sections lead to the course and when its
-- work is due next.
-- KEYS: record, courses, assignment courses, section courses, due dates, summaries, words, standings, problems, gone
-- courses.
-- ARGV: course id, record, synced at (ms), next due at (ms, or empty), summary, number of its assignments that need
-- attention, the number of assignment ids, the assignment ids, the Canvas section ids.
local course, next_due, attention, assignments, first_id = ARGV[1], ARGV[4], tonumber(ARGV[6]), tonumber(ARGV[7]), 8
redis.call('SET', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], course)
redis.call('HDEL', KEYS[10], course)
if next_due == '' then
  redis.call('ZREM', KEYS[5], course)
else
  redis.call('ZADD', KEYS[5], next_due, course)
end
for i = first_id, #ARGV do
  redis.call('HSET', i < first_id + assignments and KEYS[3] or KEYS[4], ARGV[i], course)
end
replace_summary({unpack(KEYS, 6, 9)}, course, ARGV[5], attention)
