"""Judge multi-user agent backends: drive them, record what happens, decide what they promise.

The flow is client -> history -> checks -> verdict; see ARCHITECTURE.md.
"""

__version__ = "0.1.0"
