"""The two members, their training, and the decision rule.

- `network`: the deep member, and `members`, which joins it with the trees.
- `trees`: the boosted trees.
- `training`: `fit`, `decide` and the scores of each pass.
- `thresholds`: `Decisions`, from the members' logits to genres.
"""
