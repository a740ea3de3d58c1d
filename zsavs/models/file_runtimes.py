"""Networks that come as one file, run by the small library that reads it: ONNX and LiteRT (TensorFlow Lite).

Both run on the CPU in one thread, import in a tenth of a second and need no torch.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import MissingExtra, WeightsError, first_line
from zsavs.models.model_time import model_call

__all__ = ["Network", "litert_network", "onnx_network"]

#: From a batch of inputs to the first output of the network.
Network: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]

_EXTRA = "{package} is not installed, and {file} needs it: pip install 'zsavs[pocket]'"


def onnx_network(path: Path) -> Network:
    """A network in an ``.onnx`` file with one input, by onnxruntime.

    Raises:
        MissingExtra: onnxruntime is not installed.
        WeightsError: the file cannot be read as a network; or, when it is run, does not take the input.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra(_EXTRA.format(package="onnxruntime", file=path.name)) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # which would hold on to 200 MB more than U2-Net takes
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        (given,), answer = session.get_inputs(), session.get_outputs()[0].name
    except Exception as error:  # whatever the bytes of a broken or foreign file provoke
        raise _unreadable(path, "ONNX", error) from error

    def run(batch: NDArray[Any]) -> NDArray[Any]:
        try:
            with model_call(path.name):
                return np.asarray(session.run([answer], {given.name: batch})[0])
        except Exception as error:
            raise _wrong_input(path, batch, error) from error

    return run


def litert_network(path: Path) -> Network:
    """A network in a ``.tflite`` file with one input, by LiteRT.

    Raises:
        MissingExtra: ai-edge-litert is not installed.
        WeightsError: the file cannot be read as a network; or, when it is run, does not take the input.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise MissingExtra(_EXTRA.format(package="ai-edge-litert", file=path.name)) from error
    try:
        with _without_banner():
            interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
            interpreter.allocate_tensors()
        (given,), (answer, *_) = interpreter.get_input_details(), interpreter.get_output_details()
    except Exception as error:
        raise _unreadable(path, "TensorFlow Lite", error) from error
    one_at_a_time = threading.Lock()  # its input and output are kept in the interpreter

    def run(batch: NDArray[Any]) -> NDArray[Any]:
        with one_at_a_time:
            try:
                with model_call(path.name):
                    interpreter.set_tensor(given["index"], batch)
                    interpreter.invoke()
            except Exception as error:
                raise _wrong_input(path, batch, error) from error
            return np.array(interpreter.get_tensor(answer["index"]))

    return run


def _unreadable(path: Path, kind: str, error: Exception) -> WeightsError:
    return WeightsError(
        f"{path}: cannot be read as a network of {kind} ({type(error).__name__}: {first_line(error)}); the file is "
        f"broken or something else: delete it and run zsavs download again."
    )


def _wrong_input(path: Path, batch: NDArray[Any], error: Exception) -> WeightsError:
    return WeightsError(
        f"{path}: does not take an input of {batch.dtype} {batch.shape} ({first_line(error)}); it is another network "
        f"than the one that this adapter is for."
    )


@contextmanager
def _without_banner() -> Iterator[None]:
    """Keep what LiteRT's library prints about itself from the terminal; it goes around Python's own stderr."""
    try:
        kept = os.dup(2)
    except OSError:  # no stderr at all
        yield
        return
    try:
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
