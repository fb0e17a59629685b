"""From kernel IR and its decisions to rdu IR."""
