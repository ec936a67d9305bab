"""Searches: which trials there are, which go on, how they stand, what they leave on the disk.

- A `plan` says what a search is. `trial_source` hands its trials out: `study` asks a sampler of
  `samplers` for points, `asha` says who goes on, `warm_start` what is tried first, `control` what
  other terminals ask for, `budget` when time is up.
- `leaderboard`, `standing`, `history`, `importance` and `pictures` read a search's folder.
- `housekeeping` and `mirror` let go of weights while trials end, `waste` afterwards.
- `estimate` tells before the first trial what all will cost.

The only importer of Optuna; its trials run in `harness.execution`.
"""
