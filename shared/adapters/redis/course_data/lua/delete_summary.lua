-- Forgets a course in the lists of courses; its dead letters keep their place there.
-- KEYS: summaries, words, standings, problems. ARGV: course id.
replace_summary(KEYS, ARGV[1], '', 0)
