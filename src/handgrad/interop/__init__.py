"""handgrad's networks where people already work: a module a library, each an extra, imported when asked for."""
