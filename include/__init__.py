"""Domain code and the local stack of Nightsort."""
