"""Ways into a platform beside the one that its spider reads: its official API, what its pages show without their state.

One file each, named by platform and way. A spider imports its own; no two platforms share one.
"""
