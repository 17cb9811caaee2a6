"""One pass over runs: hits read, corrected and paired, and what is counted on the way."""
