"""passback inside Canvas: an LTI 1.3 tool. The launch, what it opens, and how a Canvas is registered."""
