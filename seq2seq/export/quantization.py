"""The graphs of an export with int8 weights."""

import logging
from pathlib import Path

from onnxruntime.quantization import QuantType, quantize_dynamic


def quantize_graphs(folder: Path) -> None:
    """Replace the graphs of a folder: embeddings, linear maps and LSTM layers get int8 weights with one scale each.

    What flows between them is quantized anew at each call, by its greatest element (ONNX's DynamicQuantizeLinear);
    hence no calibration text is needed. GRU layers and products of two activations stay in float32.
    Weights take seven of the eight bits: on processors without VNNI onnxruntime adds pairs of products in 16 bits,
    which would run over, and nobody knows where the folder will be used.
    """
    log = logging.getLogger()
    level = log.level
    log.setLevel(logging.ERROR)  # onnxruntime advises to optimise the graph first: the exporter has done that
    try:
        for path in (folder / "encoder.onnx", folder / "decoder.onnx"):
            whole = path.rename(path.with_suffix(".float32"))
            quantize_dynamic(whole, path, weight_type=QuantType.QInt8, reduce_range=True)
            whole.unlink()
    finally:
        log.setLevel(level)
