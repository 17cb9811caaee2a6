"""ROOT files: trees and RNTuples of hits and pairs, read and written."""
