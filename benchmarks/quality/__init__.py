"""How good the model is, beside the baselines that somebody would try first.

python -m benchmarks.quality --data imdb --output runs/imdb
"""
