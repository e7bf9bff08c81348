"""What `doctor` finds out about the rights in Redis is what `deploy/redis` gives."""

from shared.adapters.redis.rights import NOT_PROBED, probed_commands
from tests.architecture.project import ROOT


def test_every_command_that_is_given_is_probed() -> None:
    """The commands of passback's user are those that `doctor` looks for."""
    users = (ROOT / "deploy" / "redis" / "users.acl.in").read_text().splitlines()
    rules = next(line for line in users if line.startswith("user passback ")).split()
    given = {rule[1:] for rule in rules if rule.startswith("+") and not rule.startswith("+@")}
    assert given == {*probed_commands(), *NOT_PROBED}
