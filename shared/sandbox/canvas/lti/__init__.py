"""The LTI 1.3 platform of the sandbox Canvas, and the pages in which a person uses it.

tools.py      installed tools: from a JSON configuration or a dynamic registration, checked as Canvas checks them
claims.py     roles, custom fields and claims of a launch
faults.py     launches that a tool must refuse
platform.py   keys, tools, settings and prepared launches
routes.py     the endpoints of the platform; `/_sandbox/lti`: settings and faults, tools, keys, the log of launches
visit.py      who is signed in, and where
pages.py      course, Gradebook, assignment and account pages, and the page around a tool's frame
"""
