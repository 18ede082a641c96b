"""The smallest program of each peer, as its documentation begins: ``app`` answers ``GET /``.

It imports what it needs and no more; the modules of :mod:`bench.peers` import all that any scenario
needs.
"""
