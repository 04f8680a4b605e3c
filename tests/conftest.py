"""Makes the helpers of this folder importable (`from link import Link`), however pytest was started."""

from hypothesis import HealthCheck, settings

# The machines that run this are small and shared: a slow example says nothing about the code.
settings.register_profile("punktfunk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("punktfunk")
