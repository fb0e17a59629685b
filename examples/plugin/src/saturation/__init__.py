"""A package that adds to sambaflow: a dialect, a pass, a pipeline, a heuristic and a machine."""
