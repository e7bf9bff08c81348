"""The teacher FAQ, from the same rows that `explain` reads. `python -m workers.cli.docs.teacher_faq` prints it."""

import sys
from collections.abc import Iterator

from shared.domain.passback.rules.reasons import Actor, Reason

INTRODUCTION = """\
# Why is a grade not in PowerSchool?

Passback sends grades from Canvas to PowerSchool by itself, a few seconds after you enter them. Canvas wins: what you
change by hand in PowerSchool is put back at the next sync of that assignment. Late, collected, incomplete, absent and
comments are yours and stay. Late status, weights, Learning Mastery and deletions are never sent, and hidden scores are:
to keep an assignment's scores back, turn its "Sync to SIS" off.

Work that Canvas leaves out of the final grade does not count in PowerSchool either; otherwise your PowerSchool category
decides. Missing work alone creates no assignment: it goes with the section's first score or excuse. Where a missing or
excused mark is taken back in Canvas and no score came, its 0 goes from PowerSchool too.

Where your district has installed passback in Canvas, "PowerSchool sync" in your course's menu shows which grades are in
PowerSchool, and the reason for each that is not; so do the Gradebook's Sync menu and the menu of an assignment. See
[the page inside Canvas](teacher-page.md).

Where a grade does not arrive, passback names one or more of the reasons below. The pages of whoever looks after
passback have their codes as well. They are grouped by who can do something about them."""

HEADINGS = {
    Actor.TEACHER: "What you can change yourself",
    Actor.NOBODY: "What needs nothing from anybody",
    Actor.CANVAS_ADMIN: "What your Canvas administrator can change",
    Actor.POWERSCHOOL_ADMIN: "What your PowerSchool administrator can change",
    Actor.OPERATOR: "What to tell whoever looks after passback",
}


def teacher_faq() -> str:
    """Return the FAQ as Markdown: every reason once, under the heading of who can act."""
    return "\n\n".join([INTRODUCTION, *(part for who in HEADINGS for part in _group(who))]) + "\n"


def _group(who: Actor) -> Iterator[str]:
    yield f"## {HEADINGS[who]}"
    yield from (_entry(reason) for reason in Reason if reason.who is who)


def _entry(reason: Reason) -> str:
    parts = [f"### {reason.message.rstrip('.')}", f"**What to do:** {reason.remedy}", f"Code: `{reason.value}`"]
    if reason.source:
        parts.append(f"> The rule: {reason.source}")
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(teacher_faq())
