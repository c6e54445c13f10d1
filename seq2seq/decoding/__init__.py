"""From a model to translations: greedy and beam search, ensembles, scores of given translations, int8."""
