"""A module that must not be preloaded: it starts a thread at import."""

from __future__ import annotations

import threading

threading.Thread(target=threading.Event().wait, daemon=True).start()
