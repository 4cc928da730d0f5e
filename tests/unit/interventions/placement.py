"""Several pretended devices on one CPU, with the rules that CUDA has.

Tensors carry the name of a device. An operation on tensors of two devices is refused, except where
PyTorch allows it: copies, indices on the CPU, numbers without dimensions. Models are spread as
accelerate spreads them: every layer moves what comes in to its own device.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

CPU = torch.device("cpu")
MOVES = ("to", "cpu", "cuda")
INDEXING = ("__getitem__", "__setitem__", "index_put_", "index_put")


class Placement(TorchFunctionMode):
    """While it is in force, ``Tensor.device`` tells the pretended device."""

    def __init__(self) -> None:
        super().__init__()
        self.places: Any = WeakTensorKeyDictionary()
        self.n_moves = 0

    def put(self, tensor: torch.Tensor, device: torch.device) -> None:
        """Pretend that a tensor lies on a device."""
        self.places[tensor] = device

    def place(self, tensor: torch.Tensor) -> torch.device:
        """Where a tensor is pretended to lie."""
        found: torch.device = self.places.get(tensor, CPU)
        return found

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", str(func))
        if name == "__get__" and getattr(func, "__self__", None) is torch.Tensor.device:
            return self.place(args[0])
        if name == "numpy" and self.place(args[0]) != CPU:
            raise RuntimeError("can't convert a tensor of another device to numpy")
        if name in MOVES:
            return self._move(func, name, args, kwargs)
        if "device" in kwargs:
            wanted = kwargs.pop("device")
            result = func(*args, **kwargs)
            self.put(result, torch.device(wanted) if wanted is not None else CPU)
            return result
        if func is torch.autograd.grad:
            gradients = func(*args, **kwargs)
            inputs = args[1] if isinstance(args[1], list | tuple) else [args[1]]
            for gradient, tensor in zip(gradients, inputs, strict=True):
                self.put(gradient, self.place(tensor))
            return gradients
        device = self._common(name, args, kwargs)
        result = func(*args, **kwargs)
        for tensor in tree_flatten(result)[0]:
            if isinstance(tensor, torch.Tensor):
                self.put(tensor, device)
        return result

    def _move(self, func: Any, name: str, args: Any, kwargs: Any) -> torch.Tensor:
        source, *rest = args
        device, kept = self.place(source), []
        if name == "cpu":
            device = CPU
        for argument in [*rest, *([kwargs.pop("device")] if "device" in kwargs else [])]:
            if isinstance(argument, torch.Tensor):
                device = self.place(argument)
                kept.append(argument.dtype)
            elif isinstance(argument, str | torch.device):
                device = torch.device(argument)
            elif argument is not None:
                kept.append(argument)
        moved = device != self.place(source)
        self.n_moves += moved
        result: torch.Tensor = torch.Tensor.to(source, *kept, **kwargs) if kept else source
        if moved and result is source:
            result = source.clone()
        self.put(result, device)
        return result

    def _common(self, name: str, args: Any, kwargs: Any) -> torch.device:
        """The one device of the tensors that take part, as CUDA demands it."""
        if name == "copy_":
            return self.place(args[0])
        tensors = list(self._taking_part(name, args, kwargs))
        places = {self.place(t) for t in tensors if t.ndim or self.place(t) != CPU}
        if len(places) > 1:
            raise RuntimeError(f"{name}: tensors on {sorted(map(str, places))}")
        return places.pop() if places else CPU

    def _taking_part(self, name: str, args: Any, kwargs: Any) -> Iterator[torch.Tensor]:
        whole, index = args, ()
        if name in INDEXING:
            whole, index = (args[0], *args[2:]), args[1]
        for tensor in tree_flatten((whole, kwargs))[0]:
            if isinstance(tensor, torch.Tensor):
                yield tensor
        for tensor in tree_flatten(index)[0]:
            if isinstance(tensor, torch.Tensor) and self.place(tensor) != CPU:
                yield tensor


def spread(placement: Placement, model: Any, devices: list[str]) -> None:
    """Put a model's layers on devices in turn, the rest on the first and last."""
    places = [torch.device(name) for name in devices]
    first, last = places[0], places[-1]
    for tensor in [*model.hf.parameters(), *model.hf.buffers()]:
        placement.put(tensor, first)
    n = model.n_layers
    for index, layer in enumerate(model.layers):
        _settle(placement, layer, places[index * len(places) // n])
    _settle(placement, model.final_norm, last)
    # tied weights lie in one place
    tied = model.unembedding.weight is model.embedding.weight
    _settle(placement, model.unembedding, first if tied else last)


def _settle(placement: Placement, module: Any, device: torch.device) -> None:
    for tensor in [*module.parameters(), *module.buffers()]:
        placement.put(tensor, device)
    plain = module.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = tree_map(
            lambda x: x.to(device) if isinstance(x, torch.Tensor) else x, (args, kwargs)
        )
        return plain(*args, **kwargs)

    module.forward = forward
