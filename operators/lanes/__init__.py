"""Lanes: what is kept of one raw log (topic and partition): its clock, its instruments, its open panes."""
