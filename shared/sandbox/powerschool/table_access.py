"""`GET /ws/schema/table/{table}`: whether the plugin may read columns of a table.

The statuses and sentences are measured on a production server. Passback asks only for its grants, never for rows:
no answer has any.
"""

from starlette.routing import Route

from shared.sandbox.powerschool.server import read_table

ROUTES = [Route("/ws/schema/table/{table}", read_table, methods=["GET"])]
