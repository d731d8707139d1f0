"""How fast Nightsort is and how much memory it takes, beside a floor and what one would write instead."""
