"""Settings that every test shares."""

from hypothesis import HealthCheck, settings

# No example database: the suite also runs as a user who may not write beside the tests. No deadline: the machine is
# shared, and a slow moment is no failure.
settings.register_profile(
    "punktfunk", database=None, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("punktfunk")
