"""A sandbox with a generated district: `canvas` or `powerschool`, port, courses, students and assignments each."""

import sys
from datetime import datetime

import uvicorn

from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.district import LOS_ANGELES, generated_district
from shared.sandbox.powerschool.app import create_app as powerschool_app


def main() -> None:
    """Serve one system until told to stop."""
    name, port, courses, students, assignments = sys.argv[1], *map(int, sys.argv[2:])
    today = datetime.now(LOS_ANGELES).date()
    district = generated_district(courses, students, assignments, seed=1, today=today)
    app = canvas_app(district.canvas) if name == "canvas" else powerschool_app(district.powerschool)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


if __name__ == "__main__":
    main()
