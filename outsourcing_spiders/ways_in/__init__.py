"""Ways into a platform beside the one that its spider reads: its official API, what its pages show without their state.

Files are named by platform and way, or by what the ways of a platform share. A spider imports its own; no two platforms
share one.
"""
