"""Files of CAEN's CoMPASS besides ROOT files: BIN and CSV, run folders and the metadata in them."""
