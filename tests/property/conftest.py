from hypothesis import HealthCheck, settings

settings.register_profile(
    "tidemark",
    deadline=None,  # how long an example takes says more of the machine than of the code
    max_examples=200,
    print_blob=True,
    suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow],  # a schedule is many choices
)
settings.load_profile("tidemark")
