"""For all tests: none of them is about time, so that hypothesis gives its examples as long as they take."""

from hypothesis import settings

settings.register_profile("without_deadline", deadline=None)
settings.load_profile("without_deadline")
