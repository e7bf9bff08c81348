"""The status pages: HTML for people, over `workers.web.views`."""
