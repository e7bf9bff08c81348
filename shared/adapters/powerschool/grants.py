"""The columns without which passback's calls are refused, for `doctor` to probe. `plugin.xml` requests them all."""

from collections.abc import Mapping

_AUDIT = "whocreated whencreated whomodified whenmodified"

# PowerSchool refuses a whole write for one column without a grant, also for columns that it fills itself.
GRANTS: Mapping[str, tuple[str, ...]] = {
    table: tuple(columns.split())
    for table, columns in {
        "assignment": f"assignmentid createdbyplugin {_AUDIT}",
        "assignmentsection": f"""
            assignmentsectionid assignmentid sectionsdcid name duedate description scoretype scoreentrypoints weight
            totalpointvalue iscountedinfinalgrade isscorespublish {_AUDIT}
        """,
        "assignmentcategoryassoc": f"assignmentcategoryassocid assignmentsectionid teachercategoryid {_AUDIT}",
        "assignmentscore": f"""
            assignmentscoreid assignmentsectionid studentsdcid scorepoints actualscoreentered actualscorekind ismissing
            isexempt islate iscollected isabsent isincomplete {_AUDIT}
        """,
        "teachercategory": "teachercategoryid name isactive",
    }.items()
}
