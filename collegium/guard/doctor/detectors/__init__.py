"""One module for each of the eight types of defect."""
