"""The columns without which passback's calls are refused, for `doctor` to probe. `plugin.xml` requests them all."""

from collections.abc import Mapping

AUDIT = ("whocreated", "whencreated", "whomodified", "whenmodified")

# PowerSchool refuses a whole write for one column without a grant, also for columns that it fills itself.
GRANTS: Mapping[str, tuple[str, ...]] = {
    "assignment": ("assignmentid", "createdbyplugin", *AUDIT),
    "assignmentsection": (
        "assignmentsectionid",
        "assignmentid",
        "sectionsdcid",
        "name",
        "duedate",
        "description",
        "scoretype",
        "scoreentrypoints",
        "weight",
        "totalpointvalue",
        "iscountedinfinalgrade",
        "isscorespublish",
        *AUDIT,
    ),
    "assignmentcategoryassoc": ("assignmentcategoryassocid", "assignmentsectionid", "teachercategoryid", *AUDIT),
    "assignmentscore": (
        "assignmentscoreid",
        "assignmentsectionid",
        "studentsdcid",
        "scorepoints",
        "actualscoreentered",
        "actualscorekind",
        "ismissing",
        "isexempt",
        "islate",
        "iscollected",
        "isabsent",
        "isincomplete",
        *AUDIT,
    ),
    "teachercategory": ("teachercategoryid", "name", "isactive"),
}
