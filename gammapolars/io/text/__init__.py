"""Text files read in blocks of whole lines, strictly: no line is passed over in silence."""
