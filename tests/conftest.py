"""What every test has."""

from hypothesis import settings

# How long an example takes says nothing on a machine that runs other things too.
settings.register_profile("here", deadline=None)
settings.load_profile("here")
