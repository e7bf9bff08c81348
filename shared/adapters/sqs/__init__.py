"""Reading an SQS queue of Live Events."""
