"""What CAEN's CoMPASS leaves on disk beside ROOT files: BIN and CSV, run folders and what is noted in them."""
