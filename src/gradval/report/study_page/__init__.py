"""One offline page of a whole study, written from its tables and pictures alone."""
