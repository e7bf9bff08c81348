"""Values and rules as pure functions: no framework, clock, random numbers, environment or sockets."""
