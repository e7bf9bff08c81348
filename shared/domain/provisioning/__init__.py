"""The rules of provisioning: planning rosters, safety checks, the states of a run."""
