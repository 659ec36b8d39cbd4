#!/usr/bin/env python3
"""PyTorch, eager, as a worker. Nets are laid out as PyTorch likes them (channels last where that is faster), from the same numbers."""
import os, tempfile

import torch
import torch.nn.functional as F

from worker import CHECKPOINTS, CNNS, INPUTS, LSTMS, MLPS, RESNET_STAGES, THREADS, UNITS, CLASSES, cnn, lstm, mlp, serve, tensors

torch.set_num_threads(THREADS)


def training(loss_of, optimiser):
    def step():
        loss = loss_of()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()
    return step


def perceptron(name):
    x, wanted, layers = mlp(name)
    p = [torch.tensor(v, requires_grad=True) for layer in layers for v in layer]

    def loss():
        h = torch.from_numpy(x)
        for k in range(0, len(p), 2):
            h = torch.addmm(p[k + 1], h, p[k])
            if k + 2 < len(p):
                h = h.tanh() if name == "mlp_tiny" else h.relu()
        t = torch.from_numpy(wanted)
        return F.mse_loss(h.sigmoid(), t) if name == "mlp_tiny" else F.cross_entropy(h, t)
    return training(loss, torch.optim.SGD(p, 1e-3))


def convolutional(batch, trains, layout):
    x, labels, values = cnn(batch)
    p = []
    for k, v in enumerate(map(torch.tensor, values)):
        if v.dim() == 4:
            v = v.permute(3, 2, 0, 1).contiguous(memory_format=layout)
        elif k == 4:  # rows in the order of flattened NCHW
            v = v.reshape(7, 7, 64, 1024).permute(3, 2, 0, 1).reshape(1024, 3136).contiguous()
        elif v.dim() == 2:
            v = v.t().contiguous()
        p.append(v.requires_grad_(trains))
    x, labels = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=layout), torch.from_numpy(labels)

    def logits():
        h = x
        for k in (0, 2):
            h = F.max_pool2d(F.relu(F.conv2d(h, p[k], p[k + 1], padding=2)), 2)
        return F.linear(F.relu(F.linear(h.flatten(1), p[4], p[5])), p[6], p[7])
    if trains:
        return training(lambda: F.cross_entropy(logits(), labels), torch.optim.Adam(p, 1e-4))
    return inference(logits)


def inference(f):
    def step():
        with torch.inference_mode():
            return f().numpy()
    return step


def recurrent(trains):
    x, labels, values = lstm()
    x, labels = torch.from_numpy(x), torch.from_numpy(labels)
    w, b, wo, bo = map(torch.tensor, values)
    cell, dense = torch.nn.LSTM(INPUTS, UNITS, batch_first=True), torch.nn.Linear(UNITS, CLASSES)
    with torch.no_grad():
        b[2 * UNITS:3 * UNITS] += 1
        ordered = lambda m: torch.cat([m[..., k * UNITS:(k + 1) * UNITS] for k in (0, 2, 1, 3)], -1)  # its gates: i f j o
        for to, value in ((cell.weight_ih_l0, ordered(w[:INPUTS]).t()), (cell.weight_hh_l0, ordered(w[INPUTS:]).t()), (cell.bias_ih_l0, ordered(b)), (dense.weight, wo.t()), (dense.bias, bo)):
            to.copy_(value)
        cell.bias_hh_l0.zero_()
    cell.bias_hh_l0.requires_grad_(False)
    logits = lambda: dense(cell(x)[0][:, -1])
    if not trains:
        return inference(logits)
    return training(lambda: F.cross_entropy(logits(), labels), torch.optim.SGD([p for m in (cell, dense) for p in m.parameters() if p.requires_grad], 1e-3))


class Normalised(torch.nn.Module):
    def __init__(self, inputs, outputs, size, stride=1):
        super().__init__()
        self.convolution, self.norm = torch.nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), torch.nn.BatchNorm2d(outputs)

    def forward(self, h):
        return self.norm(self.convolution(h))


class Bottleneck(torch.nn.Module):
    def __init__(self, inputs, channels, stride):
        super().__init__()
        self.a, self.b, self.c = Normalised(inputs, channels, 1), Normalised(channels, channels, 3, stride), Normalised(channels, 4 * channels, 1)
        self.around = Normalised(inputs, 4 * channels, 1, stride) if inputs != 4 * channels else torch.nn.Identity()

    def forward(self, h):
        return F.relu(self.c(F.relu(self.b(F.relu(self.a(h))))) + self.around(h))


def resnet50():
    parts, inputs = [Normalised(3, 64, 7, 2), torch.nn.ReLU(), torch.nn.MaxPool2d(3, 2, 1)], 64
    for blocks, channels, stride in RESNET_STAGES:
        for k in range(blocks):
            parts.append(Bottleneck(inputs, channels, stride if k == 0 else 1))
            inputs = 4 * channels
    net = torch.nn.Sequential(*parts, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(2048, 1000), torch.nn.Softmax(1)).eval().to(memory_format=torch.channels_last)
    image = torch.full((1, 3, 224, 224), 0.5).contiguous(memory_format=torch.channels_last)
    return inference(lambda: net(image))


def files(name, variant):
    folder = tempfile.TemporaryDirectory(prefix="tenon-bench-")
    path, held = os.path.join(folder.name, "tensors"), {k: torch.tensor(v) for k, v in tensors(name).items()}
    last = str(len(held) - 1)

    def save():
        torch.save(held, path)
        return 1.0

    def load():
        return torch.load(path)[last][-1].item()

    def load_into():
        for k, v in torch.load(path, mmap=True).items():
            held[k].copy_(v)
        return held[last][-1].item()
    save()
    step = {"save": save, "load": load, "mmap_into": load_into}[variant]
    return lambda folder=folder: step()


if __name__ == "__main__":
    cases = {f"{name}/eager": lambda name=name: perceptron(name) for name in MLPS}
    for variant, layout in (("eager", torch.contiguous_format), ("channels_last", torch.channels_last)):
        cases |= {f"{name}/{variant}": lambda size=size, layout=layout: convolutional(*size, layout) for name, size in CNNS.items()}
    cases |= {f"{name}/nn.LSTM": lambda trains=trains: recurrent(trains) for name, trains in LSTMS.items()}
    cases["resnet50_infer1/channels_last"] = resnet50
    cases |= {f"{what}_{name}/{variant}": lambda name=name, variant=variant: files(name, variant) for name in CHECKPOINTS for what, variant in (("save", "save"), ("restore", "load"), ("restore", "mmap_into"))}
    serve(cases)
