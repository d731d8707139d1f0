"""One text, now: ``nightsort classify`` and the HTTP service ``nightsort serve``, through open endpoints."""
