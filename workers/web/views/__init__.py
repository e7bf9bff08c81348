"""What the status pages and the JSON API both show and do: values, alerts and operator actions, without HTTP."""
