"""A generated district of any size, whose courses are healthy and ungraded."""

import random
from datetime import date
from zoneinfo import ZoneInfo

from shared.clock import SystemClock
from shared.sandbox.canvas.seed import Assignment, CourseSeed, Group, Section
from shared.sandbox.district.builder import District, DistrictBuilder, enrolled
from shared.sandbox.district.small import HOMEWORK, LOS_ANGELES
from shared.sandbox.ids import Ids


def generated_district(
    courses: int,
    students_per_course: int,
    assignments: int,
    seed: int,
    *,
    today: date | None = None,
    zone: ZoneInfo = LOS_ANGELES,
) -> District:
    """Return a healthy district of any size, one section per course, the same for the same seed and day.

    Courses are numbered from 1001, their sections (SECTIONS.DCID) from 60001, students from 100001; assignment `n`
    of a course is `course id * 1000 + n`, counted from 1. Nothing is graded.
    """
    rng = random.Random(seed)
    builder = DistrictBuilder(today or SystemClock().now().astimezone(zone).date(), zone)
    builder.add_teacher(Ids.TEACHER, {Ids.CATEGORY_HOMEWORK: HOMEWORK}, inactive={})
    for index in range(courses):
        course_id, dcid = 1001 + index, 60_001 + index
        first = 100_001 + index * students_per_course
        students = range(first, first + students_per_course)
        builder.add_section(dcid, [Ids.TEACHER], students, course=f"GEN{index % 40}")
        group = Group(id=course_id * 10, name=HOMEWORK)
        work = [
            Assignment(
                id=course_id * 1000 + number,
                name=f"Assignment {number}",
                due_at=builder.end_of_day(rng.randint(1, 50)),
                points_possible=float(rng.choice([5, 10, 20, 50, 100])),
                assignment_group_id=group.id,
            )
            for number in range(1, assignments + 1)
        ]
        builder.courses.append(
            CourseSeed(
                id=course_id,
                name=f"Course {course_id}",
                sis_course_id=str(dcid),
                sections=[Section(id=dcid + 100_000, name=f"Section {dcid}", sis_section_id=str(dcid))],
                groups=[group],
                students=enrolled(students, dcid + 100_000),
                assignments=work,
            )
        )
    return builder.build()
