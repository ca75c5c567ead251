"""One file a figure: the pictures of the papers and of this project."""
