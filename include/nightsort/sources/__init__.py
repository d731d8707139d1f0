"""How each format is read, what is cleaned and what a label is: the parts of `documents`."""
