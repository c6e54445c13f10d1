"""From text to tokens: rules that cut words, vocabularies of subwords, and subwords cut at random."""
