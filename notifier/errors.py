"""Everything this package raises on purpose.

::

    NotifierError                 exit code 1
    ├── ConfigError               exit code 78; carries every problem found
    ├── StoreError
    │   ├── StoreLocked           another daemon holds the store
    │   ├── StoreTooNew           written by a newer notifier
    │   └── StoreUnusable         unreadable, read-only, full, corrupt or not ours
    ├── UnknownName               a task, delivery, event or callback nobody knows
    └── TransitionError           a state change the tables of ``model.py`` do not allow

Expected failures of the outside world (a refused connection, a 429) are values, not
exceptions: see ``http.Failure``, ``hubspot.answers`` and ``delivery.verdict``.
"""


class NotifierError(Exception):
    """Base of all errors whose message is written for the user."""


class ConfigError(NotifierError):
    """The configuration can't be used; the message holds every problem with its place and remedy."""


class StoreError(NotifierError):
    """The store can't be used."""


class StoreLocked(StoreError):
    """Another daemon runs on this store."""


class StoreTooNew(StoreError):
    """The store was written by a newer notifier."""


class StoreUnusable(StoreError):
    """The store is unreadable, read-only, full, corrupt or not a notifier store."""


class UnknownName(NotifierError):
    """Nothing of that name or id is known."""


class TransitionError(NotifierError):
    """A state change that the transition tables of ``model.py`` do not allow."""
