"""sambaflow: a compiler toolkit for Reconfigurable Dataflow Units."""
