"""Messages to people: reading.py reads what needs somebody, notifier.py tells it, delivery.py sends it.

The rules, what is told when, are in `shared/domain/notifications`.
"""
