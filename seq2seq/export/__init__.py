"""A model for programs that have neither PyTorch nor this library.

* `graphs`: the network as two ONNX graphs, encoder and decoder step.
* `recurrent_nodes`: LSTM and GRU layers as single ONNX nodes.
* `quantization`: the graphs with int8 weights.
* `folder`: the folder that is handed over, written and checked; `readme` is what it says of itself.
* `agreement`: whether it says what the model says, token by token.
* `reading`, `running`: the folder as `seq2seq.translator` uses it, by onnxruntime.
* `translate`: the program inside the folder; it knows onnxruntime, tokenizers and numpy only.
"""
