"""Ours against its peers: the same work, side by side, in processes of their own."""
