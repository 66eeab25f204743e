"""The two members of the model, their training, and the decision rule.

- `network`: the deep network, and `build_members`, which joins it with the trees.
- `word_encoder`: the deep network's layers over the words of the plot.
- `trees`: the boosted trees.
- `training`: `fit`, `fit_decision_rule` and the scores of each epoch.
- `decision_rule`: `DecisionRule`, from the members' logits to predicted genres.
"""
