"""Hugging Face folders: `config.json`, `model.safetensors` (float32 or float16), `tokenizer.json`."""
import json
import os
import shutil
import struct

import numpy as np
import torch

from decoder import Decoder
from model import Encoder

MODELS = {'xlm-roberta': Encoder, 'xglm': Decoder}
DTYPES = {'F32': '<f4', 'F16': '<f2'}


def replace_file(path, write):
    """Write through a temporary neighbour, so that no reader sees half a file."""
    with open(path + '.tmp', 'wb') as f:
        write(f)
    os.replace(path + '.tmp', path)


def write_json(path, value, indent=1):
    replace_file(path, lambda f: f.write(json.dumps(value, indent=indent, ensure_ascii=False).encode()))


def read_safetensors(path):
    """{name: float32 tensor}."""
    with open(path, 'rb') as f:
        raw = f.read()
    size = struct.unpack('<Q', raw[:8])[0]
    tensors = {}
    for name, entry in json.loads(raw[8:8 + size]).items():
        if name == '__metadata__':
            continue
        start, end = (8 + size + o for o in entry['data_offsets'])
        flat = np.frombuffer(raw[start:end], dtype=DTYPES[entry['dtype']])
        tensors[name] = torch.from_numpy(flat.astype(np.float32).reshape(entry['shape']))
    return tensors


def write_safetensors(path, tensors, dtype='F32'):
    header, offset, blobs = {'__metadata__': {'format': 'pt'}}, 0, []
    for name, tensor in tensors.items():
        blob = tensor.detach().float().cpu().contiguous().numpy().astype(DTYPES[dtype]).tobytes()
        header[name] = {'dtype': dtype, 'shape': list(tensor.shape), 'data_offsets': [offset, offset + len(blob)]}
        offset += len(blob)
        blobs.append(blob)
    encoded = json.dumps(header).encode()
    encoded += b' ' * (-len(encoded) % 8)

    def write(f):
        f.write(struct.pack('<Q', len(encoded)))
        f.write(encoded)
        for blob in blobs:
            f.write(blob)
    replace_file(path, write)


def load_folder(folder):
    """An Encoder or a Decoder with the folder's weights."""
    with open(os.path.join(folder, 'config.json'), encoding='utf-8') as f:
        config = json.load(f)
    net = MODELS[config['model_type']].from_config(config)
    tensors = read_safetensors(os.path.join(folder, 'model.safetensors'))
    net.load_state_dict({ours: tensors[theirs] for ours, theirs in net.names().items()})
    return net


def save_folder(net, folder, tokenizer_json, dtype='F32'):
    """Write the Hugging Face folder; `tokenizer_json` is copied."""
    os.makedirs(folder, exist_ok=True)
    state, names = net.state_dict(), net.names()
    write_safetensors(os.path.join(folder, 'model.safetensors'), {names[k]: state[k] for k in names}, dtype)
    write_json(os.path.join(folder, 'config.json'), net.config)
    target = os.path.join(folder, 'tokenizer.json')
    if os.path.abspath(tokenizer_json) != os.path.abspath(target):
        shutil.copyfile(tokenizer_json, target)
