"""Messages, pending changes and due courses: the debounce."""
