"""notifier: watches HubSpot's asynchronous tasks and tells callbacks the moment one ends."""

__version__ = "0.1.0"
