"""Whether the best of a sweep is skill or luck: what is asked, what is run again, and what is said."""
