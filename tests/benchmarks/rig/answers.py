"""The bytes in which `remote.py` answers: as the sandboxes write them, with places for what differs.

A test holds their fields to the sandboxes'.
"""

ASSIGNMENT = (
    '{"id":"%(id)s","course_id":"%(course)s","name":"Assignment %(number)s","description":"<p>Read the chapter.</p>",'
    '"due_at":"%(due_at)s","unlock_at":null,"lock_at":null,"created_at":"%(due_at)s","updated_at":"%(due_at)s",'
    '"points_possible":100.0,"grading_type":"points","published":true,"workflow_state":"published",'
    '"only_visible_to_overrides":false,"visible_to_everyone":true,"has_overrides":false,"assignment_group_id":'
    '"%(group)s","group_category_id":null,"grade_group_students_individually":false,"submission_types":'
    '["online_upload"],"is_quiz_assignment":false,"is_quiz_lti_assignment":false,"integration_id":null,'
    '"integration_data":{},"sis_assignment_id":null,"omit_from_final_grade":false,"hide_in_gradebook":false,'
    '"anonymous_grading":false,"anonymize_students":false,"moderated_grading":false,"post_manually":false,"muted":false,'
    '"in_closed_grading_period":false,"due_date_required":false,"max_name_length":255,"graded_submissions_exist":true,'
    '"locked_for_user":false,"suppress_assignment":false,"has_sub_assignments":false,"post_to_sis":true,"overrides":[],'
    '"checkpoints":[]}'
)
SUBMISSION = (
    '{"id":"%s","user_id":"%s","assignment_id":"%s","attempt":1,"body":null,"submission_type":"online_upload",'
    '"score":%s,"grade":"%s","entered_score":%s,"entered_grade":"%s","points_deducted":null,"excused":false,'
    '"missing":false,"late":false,"seconds_late":0,"late_policy_status":null,"graded_at":"2026-11-25T19:09:48Z",'
    '"posted_at":"2026-11-25T19:09:48Z","submitted_at":"2026-11-24T19:09:48Z","workflow_state":"graded",'
    '"grade_matches_current_submission":true,"grader_id":"12","assignment_visible":true,"cached_due_date":'
    '"2026-12-05T07:59:59Z","grading_period_id":null,"redo_request":false,"custom_grade_status_id":null}'
)
SECTION = (
    '{"id":"%s","name":"Section %s","course_id":"%s","nonxlist_course_id":null,"start_at":null,"end_at":null,'
    '"restrict_enrollments_to_section_dates":false,"sis_section_id":"%s","sis_course_id":"%s","integration_id":null,'
    '"sis_import_id":"1"}'
)
ROW = '{"user_id":"%s","section_id":"%s","integration_id":null,"sis_user_id":"%s","submissions":[%s]}'
ROSTERED = (
    '{"_name":"sections","section_dcid":"%s","section_id":"%s","school_number":"300","course_number":"GEN0",'
    '"section_number":"1","term_id":"3601","year_id":"36","first_day":"%s","last_day":"%s","teacher_users_dcid":"%s"}'
)
ENROLLED = (
    '{"_name":"students","enrollment_dcid":"%s","section_dcid":"%s","student_dcid":"%s","student_number":"%s",'
    '"entry_date":"%s","is_dropped":"0","enroll_status":"0"}'
)
STATE_ROW = (
    '{"_name":"assignmentsection","section_dcid":"%s","assignment_id":"%s","assignment_section_id":"%s","name":'
    '"Assignment %s","due_date":"%s","description":"<p>Read the chapter.</p>","points":"100","category_id":"11",'
    '"created_by_plugin":"744","is_counted":"1","scores_published":"1","weight":"1","score_type":"POINTS"%s}'
)
STATE_SCORE = (
    ',"student_dcid":"%s","score_points":"%s","score_kind":"REAL_SCORE","is_missing":"0","is_exempt":"0","is_late":"0",'
    '"is_collected":"0","is_absent":"0","is_incomplete":"0"'
)
QUERIED = '{"name":"%s","record":[%s],"@extensions":""%s}'
METADATA = (
    '{"metadata":{"course_max_page_size":100,"school_max_page_size":100,"section_max_page_size":100,'
    '"section_enrollment_max_page_size":100,"staff_max_page_size":100,"student_max_page_size":100,'
    '"term_max_page_size":100,"schema_table_query_max_page_size":100,"plugin_id":744,"powerschool_version":'
    '"25.2.0.0","state":"WA","district_timezone":"America/Los_Angeles","district_uuid":'
    '"00000000-5a4d-b0c5-0000-000000000000"}}'
)
CATEGORIES = (
    '[{"_name":"teachercategory","_id":11,"teachercategoryid":11,"name":"Homework","categorytype":"user",'
    '"usersdcid":2101,"isactive":true,"isinfinalgrades":true,"isusermodifiable":true,"teachermodified":true,'
    '"displayposition":1,"color":"1","isdefaultpublishscores":true,"defaultscoreentrypoints":10,"defaultweight":1,'
    '"defaulttotalvalue":10,"_teachercategorysectionexcludeassociations":[],'
    '"_categoryschoolexcludeassociations":[],"$breach_mitigation":"tvAqBbqejbpjCdhbj"}]'
)
