"""Who is told what and when: conditions become episodes, episodes become messages, each target knows its own."""
