"""One pass over runs: hits read, corrected, paired and counted on the way."""
