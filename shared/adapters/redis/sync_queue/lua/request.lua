-- Makes a course due now. A person's request forgets backoff and attempts; any other leaves a waiting course its window.
-- Own arguments: course id, causes with a space between them, who asks (or nothing), assignment ids.
local course, causes, actor = ARGV[FIRST_ARG], ARGV[FIRST_ARG + 1], ARGV[FIRST_ARG + 2]
local pending = pending_key(course)
local waits = redis.call('EXISTS', pending) == 1

widen(pending, NOW, NOW, 1)
local by_person = false
for cause in string.gmatch(causes, '%S+') do
  mark(pending, 'c:' .. cause)
  by_person = by_person or cause == 'person'
end
if actor ~= '' then
  mark(pending, 'p:' .. actor)
end
for i = FIRST_ARG + 3, #ARGV do
  mark(pending, 'a:' .. ARGV[i])
end
if by_person then
  redis.call('HDEL', pending, 'attempts', 'failed', 'lost')
end
if by_person or not waits then
  schedule_at_once(course)
else
  schedule(course)
end
