"""Everything that acts: the runner, the pipeline, and the hands that touch one outside thing each."""
