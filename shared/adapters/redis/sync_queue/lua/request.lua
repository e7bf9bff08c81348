-- Makes a course due now. A person's request forgets backoff and attempts; any other leaves a waiting course its window.
-- Own arguments: course id, cause, who asks (or nothing), assignment ids.
local course, cause, actor = ARGV[FIRST_ARG], ARGV[FIRST_ARG + 1], ARGV[FIRST_ARG + 2]
local pending = pending_key(course)
local waits = redis.call('EXISTS', pending) == 1

widen(pending, NOW, NOW, 1)
mark(pending, 'c:' .. cause)
if actor ~= '' then
  mark(pending, 'p:' .. actor)
end
for i = FIRST_ARG + 3, #ARGV do
  mark(pending, 'a:' .. ARGV[i])
end
if cause == 'person' then
  redis.call('HDEL', pending, 'attempts', 'failed', 'lost')
end
if cause == 'person' or not waits then
  schedule_at_once(course)
else
  schedule(course)
end
