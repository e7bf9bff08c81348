"""What may be passed back, with which score and date: rules as rows, each with its reason."""
