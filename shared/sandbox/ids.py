"""The ids of the small district, by name, so that demo and tests need not repeat numbers.

Canvas ids unless a name says otherwise. A student number stands for one person in both systems; see
`district.builder.user_id_of` and `student_dcid_of`.
"""

from typing import Final


class Ids:
    """Ids of the small district."""

    COURSE: Final = 101
    """Two sections of 30 and 28 students, ordinary work, and one assignment per reason."""
    HEALTHY_COURSE: Final = 102
    """12 students, one section, assignments 1021 and 1022."""
    CLOSED_COURSE: Final = 103
    """Its section's term ended 40 days ago; assignment 1031 is graded."""
    COURSE_WITHOUT_SIS_ID: Final = 104
    COURSE_WITH_UNKNOWN_SECTIONS: Final = 105
    OUTAGE_COURSE: Final = 106
    """8 students, assignments 1061 and 1062: for outages and dead letters."""
    COURSE_OF_ORIGIN_OF_B: Final = 110

    SECTION_A: Final = 1011
    SECTION_B: Final = 1012
    SECTION_UNKNOWN: Final = 1051
    SECTION_WITHOUT_SIS_ID: Final = 1052
    UNKNOWN_SECTION_SIS_ID: Final = "49999"

    # SECTIONS.DCID, which is the section's SIS id.
    SECTION_A_DCID: Final = 41011
    SECTION_B_DCID: Final = 41012
    HEALTHY_DCID: Final = 41021
    CLOSED_DCID: Final = 41031
    NO_SIS_DCID: Final = 41041
    OUTAGE_DCID: Final = 41061

    # Student numbers, which are the students' SIS ids.
    STUDENTS_A: Final = range(10501, 10531)
    STUDENTS_B: Final = range(10531, 10559)
    STUDENT_WHO_LEFT: Final = 10559
    """Active in section A in Canvas, dropped ten days ago in PowerSchool."""
    STUDENT_UNKNOWN: Final = 19999
    """In section A in Canvas, nowhere in PowerSchool."""
    STUDENTS_HEALTHY: Final = range(10601, 10613)
    STUDENTS_CLOSED: Final = range(10701, 10707)
    STUDENTS_NO_SIS: Final = range(10801, 10805)
    STUDENTS_UNKNOWN: Final = range(10811, 10815)
    STUDENTS_OUTAGE: Final = range(10901, 10909)

    CANVAS_TEACHER: Final = 9001
    """Canvas user id: teaches every course."""

    # Canvas users without a student number.
    USER_WITHOUT_SIS_ID: Final = 29001
    TEST_STUDENT: Final = 29002

    # USERS.DCID and TEACHERCATEGORY ids.
    TEACHER: Final = 2101
    OTHER_TEACHER: Final = 2102
    """Leads course 106 and co-teaches course 101."""
    CATEGORY_HOMEWORK: Final = 4301
    CATEGORY_QUIZ: Final = 4302
    CATEGORY_TESTS: Final = 4303
    CATEGORY_INACTIVE: Final = 4304
    OTHER_CATEGORY_HOMEWORK: Final = 4311

    GROUP_HOMEWORK: Final = 3101
    GROUP_QUIZ: Final = 3102
    GROUP_TESTS: Final = 3103
    GROUP_PROJECTS: Final = 3104
    """No PowerSchool category has its name."""

    # Ordinary assignments of course 101.
    ESSAY_DRAFT: Final = 1101
    """Not graded yet, 20 points: the 30 papers that the demo grades."""
    CHAPTER_QUIZ: Final = 1102
    """A Classic Quiz nobody took yet, 10 points."""
    LAB_REPORT: Final = 1103
    """Graded: scores with decimals, one excuse, one Missing, one student each whose score cannot be sent."""
    MAP_WORKSHEET: Final = 1104
    """Due two days later in section B."""
    SAFETY_CHECK: Final = 1105
    """Pass/fail."""
    VOCABULARY: Final = 1106
    """Graded in percent."""
    BONUS_PUZZLE: Final = 1107
    """12 of 10 points."""
    NAME_OF_30: Final = 1108
    """Its name is 30 characters long once `&amp;` is one."""

    # One assignment of course 101 per reason.
    SIS_SYNC_OFF: Final = 1201
    NOT_PUBLISHED: Final = 1202
    NOT_GRADABLE: Final = 1203
    ATTENDANCE: Final = 1204
    NAME_TOO_LONG: Final = 1205
    DUE_DATE_MISSING: Final = 1206
    DUE_DATE_OUTSIDE_TERM: Final = 1207
    ONLY_FOR_STUDENTS: Final = 1208
    ONLY_FOR_A_MODULE: Final = 1209
    POINTS_MISSING: Final = 1210
    ANONYMOUS: Final = 1211
    MODERATED: Final = 1212
    CATEGORY_MISSING: Final = 1213
    NAME_TAKEN: Final = 1214
    """A teacher made an assignment of this name by hand in section A of PowerSchool; section B is free."""
    NOT_GRADED_YET: Final = 1215
